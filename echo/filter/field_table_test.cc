// SPDX-License-Identifier: Apache-2.0

#include "echo/filter/field_table.h"

#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "echo/filter/filter_value.h"
#include "gtest/gtest.h"

namespace echod {
namespace {

std::string Quoted(absl::string_view text) {
  return absl::StrCat("`", text, "`");
}

// The guide has a row for each field, with exactly its operators.
TEST(FieldTableTest, TheGuideListsFieldsAndOperators) {
  std::ifstream guide("docs/admin_api.md");
  std::set<std::string> documented;
  for (std::string line; std::getline(guide, line);) {
    const std::vector<std::string> cells = absl::StrSplit(line, '|');
    if (cells.size() != 5 || !absl::StrContains(cells[2], "`=`")) continue;
    for (const FieldRow& field : kConnectionFields) {
      if (!absl::StrContains(cells[1], Quoted(field.name))) continue;
      documented.emplace(field.name);
      for (const auto& op : kFilterOperators) {
        EXPECT_EQ(absl::StrContains(cells[2], Quoted(op.name)),
                  Applies(op.value, field.type))
            << field.name << " " << op.name;
      }
    }
  }
  for (const FieldRow& field : kConnectionFields) {
    EXPECT_TRUE(documented.count(std::string(field.name)) > 0) << field.name;
  }
}

TEST(FieldTableTest, TheGuideListsTheSortableFields) {
  std::ifstream guide("docs/admin_api.md");
  std::string paragraph;
  for (std::string line; std::getline(guide, line);) {
    if (!paragraph.empty() && line.empty()) break;
    if (!paragraph.empty() || absl::StartsWith(line, "`order_by` takes")) {
      absl::StrAppend(&paragraph, line, " ");
    }
  }
  for (const FieldRow& field : kConnectionFields) {
    EXPECT_EQ(absl::StrContains(paragraph, Quoted(field.name)), field.sortable)
        << field.name;
  }
}

}  // namespace
}  // namespace echod
