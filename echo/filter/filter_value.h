// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_FILTER_FILTER_VALUE_H_
#define ECHO_FILTER_FILTER_VALUE_H_

#include <cstdint>
#include <string>
#include <variant>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "echo/base/ip_network.h"
#include "echo/base/named_values.h"
#include "echo/base/socket_address.h"
#include "echo/filter/field_table.h"

namespace echod {

enum class FilterOperator : std::uint8_t {
  kEqual,
  kNotEqual,
  kLess,
  kLessOrEqual,
  kGreater,
  kGreaterOrEqual,
  kHas,
};

// How they are written. One that begins with another precedes it.
inline constexpr NamedValue<FilterOperator> kFilterOperators[] = {
    {FilterOperator::kNotEqual, "!="}, {FilterOperator::kLessOrEqual, "<="},
    {FilterOperator::kLess, "<"},      {FilterOperator::kGreaterOrEqual, ">="},
    {FilterOperator::kGreater, ">"},   {FilterOperator::kEqual, "="},
    {FilterOperator::kHas, ":"},
};

// Whether the operator applies to fields of this type.
bool Applies(FilterOperator op, FieldType type);

// The value that a field is compared with, by the field's type:
// - std::int64_t: a number, bytes, a duration or a time since 1970 in
//   nanoseconds, a boolean, a ConnectionInfo::State, a connection's number
// - std::string: (a part of) a listener's id
// - SocketAddress: a whole address
// - IpNetwork: what an address is in, for kHas
using FilterValue =
    std::variant<std::int64_t, std::string, SocketAddress, IpNetwork>;

// Reads a value for a field of this type and an operator that applies to it.
// Errors are INVALID_ARGUMENT, and say what is expected.
absl::StatusOr<FilterValue> ParseFilterValue(FieldType type, FilterOperator op,
                                             absl::string_view text);

}  // namespace echod

#endif  // ECHO_FILTER_FILTER_VALUE_H_
