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
    case ConnectionField::kName:
      return static_cast<std::int64_t>(connection.number());
    case ConnectionField::kListenerGeneration:
      return connection.listener_generation();
    case ConnectionField::kWorker:
      return connection.worker();
    case ConnectionField::kBytesReceived:
      return connection.bytes_received();
    case ConnectionField::kBytesSent:
      return connection.bytes_sent();
    case ConnectionField::kBytesBuffered:
      return connection.bytes_buffered();
    case ConnectionField::kLinesEchoed:
      return connection.lines_echoed();
    // The monotonic clock is one for all workers, and does not jump.
    case ConnectionField::kCreateTime:
      return Ticks(connection.created());
    case ConnectionField::kLastActiveTime:
      return Ticks(connection.last_active());
    case ConnectionField::kAge:
      return -Ticks(connection.created());
    case ConnectionField::kIdle:
      return -Ticks(connection.last_active());
    case ConnectionField::kListener:
    case ConnectionField::kState:
    case ConnectionField::kRemoteAddress:
    case ConnectionField::kLocalAddress:
    case ConnectionField::kReadingPaused:
      break;  // not numbers
  }
  return 0;
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
