// SPDX-License-Identifier: Apache-2.0

#include "echo/control/connection_order.h"

#include "echo/base/clock.h"

namespace echod {
namespace {

std::int64_t Ticks(MonotonicTime time) {
  return time.time_since_epoch().count();
}

std::int64_t Term(const ConnectionFields& connection, ConnectionField field) {
  switch (field) {
    // The monotonic clock is one for all workers, and does not jump.
    case ConnectionField::kCreateTime:
      return Ticks(connection.created());
    case ConnectionField::kLastActiveTime:
      return Ticks(connection.last_active());
    case ConnectionField::kAge:
      return -Ticks(connection.created());
    case ConnectionField::kIdle:
      return -Ticks(connection.last_active());
    default:
      return NumberOf(connection, field);
  }
}

}  // namespace

OrderPlace PlaceOf(const ConnectionFields& connection,
                   const ConnectionOrder& order) {
  OrderPlace place{.number = connection.number()};
  for (std::size_t i = 0; i < order.size(); ++i) {
    const std::int64_t term = Term(connection, order[i].field);
    place.terms[i] = order[i].descending ? -term : term;
  }
  return place;
}

}  // namespace echod
