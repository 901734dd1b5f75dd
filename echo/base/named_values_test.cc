// SPDX-License-Identifier: Apache-2.0

#include "echo/base/named_values.h"

#include <optional>

#include "gtest/gtest.h"

namespace echod {
namespace {

constexpr NamedValue<int> kNumbers[] = {{1, "one"}, {2, "two"}};

TEST(NamedValuesTest, FindsNamesAndValues) {
  EXPECT_EQ(NameOf(kNumbers, 2), "two");
  EXPECT_EQ(NameOf(kNumbers, 3), "");
  EXPECT_EQ(ValueNamed(kNumbers, "one"), 1);
  EXPECT_EQ(ValueNamed(kNumbers, "One"), std::nullopt);
}

TEST(NamedValuesTest, JoinsNamesForAMessage) {
  EXPECT_EQ(JoinedWithOr(NamesIn(kNumbers)), "one or two");
  EXPECT_EQ(JoinedWithOr({"a", "b", "c"}), "a, b or c");
  EXPECT_EQ(JoinedWithOr({"a"}), "a");
  EXPECT_EQ(JoinedWithOr({}), "");
}

}  // namespace
}  // namespace echod
