// SPDX-License-Identifier: Apache-2.0

#include "echo/control/connection_control.h"

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <vector>

#include "echo/control/connection_info.h"
#include "gtest/gtest.h"

namespace echod {
namespace {

ConnectionParts Parts(
    std::size_t limit,
    std::initializer_list<std::initializer_list<std::uint64_t>> workers) {
  ConnectionParts parts;
  parts.limit = limit;
  parts.total = 70;
  for (const auto& numbers : workers) {
    auto& part = parts.workers.emplace_back();
    for (const std::uint64_t number : numbers) {
      part.emplace_back().number = number;
    }
  }
  return parts;
}

std::vector<std::uint64_t> Numbers(const ConnectionPage& page) {
  std::vector<std::uint64_t> numbers;
  for (const ConnectionInfo& each : page.connections) {
    numbers.push_back(each.number);
  }
  return numbers;
}

using Expected = std::vector<std::uint64_t>;

TEST(MergePartsTest, TakesTheLowestNumbersOfAllWorkersInOrder) {
  const ConnectionPage page =
      MergeParts(Parts(4, {{3, 8, 9}, {}, {1, 2, 20, 21, 22}}));
  EXPECT_EQ(Numbers(page), Expected({1, 2, 3, 8}));
  EXPECT_TRUE(page.more);
  EXPECT_EQ(page.total, 70);
}

TEST(MergePartsTest, ThereIsNoMoreWhenThePageHoldsEverything) {
  const ConnectionPage page = MergeParts(Parts(4, {{3, 8}, {1, 20}}));
  EXPECT_EQ(Numbers(page), Expected({1, 3, 8, 20}));
  EXPECT_FALSE(page.more);
  EXPECT_FALSE(MergeParts(Parts(4, {{}, {}})).more);
}

}  // namespace
}  // namespace echod
