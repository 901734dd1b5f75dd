// SPDX-License-Identifier: Apache-2.0

#include "echo/filter/field_table.h"

#include <algorithm>
#include <cstddef>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "echo/base/nearest_name.h"

namespace echod {
namespace {

// Longer names are not compared; see NearestName.
constexpr std::size_t kLongestName = 64;

}  // namespace

std::string UnknownFieldHint(absl::string_view name, bool sortable_only) {
  if (name == "tcp_info" || absl::StartsWith(name, "tcp_info.")) {
    return "; tcp_info takes a system call, and cannot be used here";
  }
  std::vector<std::string> names;
  for (const FieldRow& row : kConnectionFields) {
    if (row.sortable || !sortable_only) names.emplace_back(row.name);
  }
  const std::string nearest =
      name.size() > kLongestName ? "" : NearestName(name, names);
  if (!nearest.empty()) return absl::StrCat("; did you mean ", nearest, "?");
  std::sort(names.begin(), names.end());
  return absl::StrCat("; choose one of ", absl::StrJoin(names, ", "));
}

}  // namespace echod
