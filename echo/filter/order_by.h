// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_FILTER_ORDER_BY_H_
#define ECHO_FILTER_ORDER_BY_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "echo/control/connection_order.h"

namespace echod {

// Parses an `order_by` (https://aip.dev/132), such as `bytes_sent desc, age`:
// at most kMostOrderTerms different sortable fields. An empty text is an empty
// order. Errors are INVALID_ARGUMENT on the field `order_by`. Thread-safe.
absl::StatusOr<ConnectionOrder> ParseOrderBy(absl::string_view text);

// Writes an order in a canonical form.
std::string PrintOrderBy(const ConnectionOrder& order);

}  // namespace echod

#endif  // ECHO_FILTER_ORDER_BY_H_
