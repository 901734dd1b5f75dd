// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_BASE_NAMED_VALUES_H_
#define ECHO_BASE_NAMED_VALUES_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace echod {

// One row of a table of names. Such a table is an array of these, or of any
// other struct with a `value` and a `name`.
template <typename T>
struct NamedValue {
  T value;
  absl::string_view name;
};

// The name of `value` in `table`; empty if it is not there.
template <typename Table, typename T>
constexpr absl::string_view NameOf(const Table& table, const T& value) {
  for (const auto& row : table) {
    if (row.value == value) return row.name;
  }
  return "";
}

// The value with this name in `table`, or nullopt.
template <typename Table>
constexpr auto ValueNamed(const Table& table, absl::string_view name)
    -> std::optional<decltype(table[0].value)> {
  for (const auto& row : table) {
    if (row.name == name) return row.value;
  }
  return std::nullopt;
}

// The names in `table`, in its order.
template <typename Table>
std::vector<std::string> NamesIn(const Table& table) {
  std::vector<std::string> names;
  for (const auto& row : table) names.emplace_back(row.name);
  return names;
}

// Joins names, as in `a, b or c`.
inline std::string JoinedWithOr(const std::vector<std::string>& names) {
  std::string text;
  for (auto name = names.begin(); name != names.end(); ++name) {
    const absl::string_view separator = name == names.begin()     ? ""
                                        : name + 1 == names.end() ? " or "
                                                                  : ", ";
    absl::StrAppend(&text, separator, *name);
  }
  return text;
}

}  // namespace echod

#endif  // ECHO_BASE_NAMED_VALUES_H_
