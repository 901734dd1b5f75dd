// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_FILTER_FILTER_PARSER_H_
#define ECHO_FILTER_FILTER_PARSER_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "echo/filter/field_table.h"
#include "echo/filter/filter_value.h"

namespace echod {

// A filter as a tree.
struct FilterNode {
  enum class Kind : std::uint8_t { kComparison, kNot, kAnd, kOr };

  Kind kind = Kind::kComparison;
  // kNot: one; kAnd, kOr: two or more.
  std::vector<FilterNode> operands;

  // kComparison.
  const FieldRow* field = nullptr;
  FilterOperator op = FilterOperator::kEqual;
  std::string text;  // the value as written, without quotes and escapes
  FilterValue value;
};

// Bounds of a filter, which keep parsing and matching cheap.
inline constexpr std::size_t kLongestFilter = 4096;  // bytes
inline constexpr int kDeepestFilter = 32;            // parentheses in others
inline constexpr int kMostComparisons = 64;

// Parses a filter, in the subset of AIP-160 that docs/admin_api.md describes:
//
//   filter     = factor { "AND" factor }
//   factor     = term { "OR" term }
//   term       = [ "NOT" | "-" ] ( comparison | "(" filter ")" )
//   comparison = field operator value
//
// OR binds more tightly than AND. Errors are INVALID_ARGUMENT on the field
// `filter`, with the column (from 1, in characters), what was found there and
// what was expected. Thread-safe.
absl::StatusOr<FilterNode> ParseFilter(absl::string_view text);

// Writes a filter, so that parsing the text results in an equal tree.
std::string PrintFilter(const FilterNode& filter);

}  // namespace echod

#endif  // ECHO_FILTER_FILTER_PARSER_H_
