// SPDX-License-Identifier: Apache-2.0

#include "echo/control/connection_control.h"

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <utility>
#include <vector>

#include "echo/control/connection_info.h"
#include "echo/control/connection_order.h"
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
      part.places.push_back({.number = number});
      part.connections.emplace_back().number = number;
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

TEST(MergePartsTest, SortsWhatTheWorkersHaveInAnyOrder) {
  ConnectionParts parts;
  parts.limit = 3;
  for (const auto& [term, number] :
       std::vector<std::pair<std::int64_t, std::uint64_t>>{
           {-5, 9}, {-7, 3}, {-5, 2}, {-6, 1}}) {
    auto& part = parts.workers.emplace_back();
    part.places.push_back({.terms = {term}, .number = number});
    part.connections.emplace_back().number = number;
  }
  const ConnectionPage page = MergeParts(std::move(parts));
  EXPECT_EQ(Numbers(page), Expected({3, 1, 2}));
  EXPECT_TRUE(page.more);
  EXPECT_EQ(page.last, (OrderPlace{.terms = {-5}, .number = 2}));
}

TEST(MergePartsTest, OneThatHasClosedKeepsItsPlace) {
  ConnectionParts parts = Parts(2, {{1, 2, 3}});
  parts.workers[0].connections[1].number = 0;
  const ConnectionPage page = MergeParts(std::move(parts));
  EXPECT_EQ(Numbers(page), Expected({1}));
  EXPECT_TRUE(page.more);
  EXPECT_EQ(page.last, OrderPlace{.number = 2});
}

TEST(MergePartsTest, TellsTheLastPlaceWithoutDescriptions) {
  ConnectionParts parts = Parts(2, {{3}, {1, 2}});
  for (ConnectionPart& part : parts.workers) part.connections.clear();
  const ConnectionPage page = MergeParts(std::move(parts));
  EXPECT_EQ(Numbers(page), Expected());
  EXPECT_EQ(page.last, OrderPlace{.number = 2});
}

}  // namespace
}  // namespace echod
