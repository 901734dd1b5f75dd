// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_CONTROL_CONNECTION_ORDER_H_
#define ECHO_CONTROL_CONNECTION_ORDER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <tuple>
#include <vector>

#include "echo/control/connection_fields.h"

namespace echod {

// A part of an order: by one field that is a number or a time.
struct OrderTerm {
  ConnectionField field = ConnectionField::kName;
  bool descending = false;

  friend bool operator==(const OrderTerm&, const OrderTerm&) = default;
};

// The terms of an order, the most significant first. Connections that are equal
// in all of them are ordered by number, as all are if there is no term.
using ConnectionOrder = std::vector<OrderTerm>;

// The greatest number of terms.
inline constexpr std::size_t kMostOrderTerms = 3;

// The place of a connection in an order. Places are compared by operator<. The
// place of a connection whose fields do not change stays the same, also where
// the order is by age or idle time: those use the moment that they begin at.
struct OrderPlace {
  std::array<std::int64_t, kMostOrderTerms> terms = {};  // unused: 0
  std::uint64_t number = 0;  // before all connections: 0

  friend bool operator==(const OrderPlace&, const OrderPlace&) = default;
  friend bool operator<(const OrderPlace& a, const OrderPlace& b) {
    return std::tie(a.terms, a.number) < std::tie(b.terms, b.number);
  }
};

// `order` has at most kMostOrderTerms.
OrderPlace PlaceOf(const ConnectionFields& connection,
                   const ConnectionOrder& order);

}  // namespace echod

#endif  // ECHO_CONTROL_CONNECTION_ORDER_H_
