// SPDX-License-Identifier: Apache-2.0

#include "echo/filter/order_by.h"

#include <algorithm>
#include <cstddef>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "echo/control/control_error.h"
#include "echo/filter/field_table.h"

namespace echod {
namespace {

// Enough for every valid text with a few spaces.
constexpr std::size_t kLongestOrderBy = 256;

absl::Status Error(absl::string_view message) {
  return InvalidFieldError("order_by", message);
}

std::string Quoted(absl::string_view text) {
  return absl::StrCat("'", absl::Utf8SafeCHexEscape(text), "'");
}

absl::StatusOr<OrderTerm> ParseTerm(absl::string_view text) {
  const std::vector<absl::string_view> words =
      absl::StrSplit(text, absl::ByAnyChar(" \t\n\v\f\r"), absl::SkipEmpty());
  if (words.empty()) return Error("a field is missing before or after a comma");
  const FieldRow* const field = FieldNamed(words[0]);
  if (field == nullptr || !field->sortable) {
    return Error(absl::StrCat(
        Quoted(words[0]), " is not a field to order connections by",
        UnknownFieldHint(words[0], /*sortable_only=*/true)));
  }
  const bool descending = words.size() == 2 && words[1] == "desc";
  if (words.size() > 1 && !descending) {
    return Error(absl::StrCat("found ", Quoted(words[1]), " after ", words[0],
                              "; expected desc, a comma or the end"));
  }
  return OrderTerm{.field = field->field, .descending = descending};
}

}  // namespace

absl::StatusOr<ConnectionOrder> ParseOrderBy(absl::string_view text) {
  ConnectionOrder order;
  if (text.empty()) return order;
  if (text.size() > kLongestOrderBy) {
    return Error(absl::StrCat("write at most ", kLongestOrderBy, " bytes"));
  }
  for (const absl::string_view each : absl::StrSplit(text, ',')) {
    const absl::StatusOr<OrderTerm> term = ParseTerm(each);
    if (!term.ok()) return term.status();
    const bool again = std::any_of(
        order.begin(), order.end(),
        [&](const OrderTerm& before) { return before.field == term->field; });
    if (again) return Error("each field can occur only once");
    if (order.size() == kMostOrderTerms) {
      return Error(
          absl::StrCat("at most ", kMostOrderTerms, " fields are possible"));
    }
    order.push_back(*term);
  }
  return order;
}

std::string PrintOrderBy(const ConnectionOrder& order) {
  std::string text;
  for (const OrderTerm& term : order) {
    const auto* const row = std::find_if(
        std::begin(kConnectionFields), std::end(kConnectionFields),
        [&](const FieldRow& each) { return each.field == term.field; });
    absl::StrAppend(&text, text.empty() ? "" : ",", row->name,
                    term.descending ? " desc" : "");
  }
  return text;
}

}  // namespace echod
