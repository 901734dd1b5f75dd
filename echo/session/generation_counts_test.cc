// SPDX-License-Identifier: Apache-2.0

#include "echo/session/generation_counts.h"

#include <cstdint>
#include <vector>

#include "gtest/gtest.h"

namespace echod {
namespace {

using Generations = std::vector<std::int64_t>;

TEST(GenerationCountsTest, KnowsThoseThatHaveConnections) {
  GenerationCounts counts;
  counts.Add(1);
  counts.Add(1);
  counts.Add(3);
  counts.Add(4);
  EXPECT_EQ(counts.Before(4), Generations({1, 3}));
  EXPECT_EQ(counts.Before(1), Generations());
  counts.Remove(1);
  EXPECT_EQ(counts.Before(9), Generations({1, 3, 4}));
  counts.Remove(1);
  counts.Remove(4);
  EXPECT_EQ(counts.Before(9), Generations({3}));
}

TEST(GenerationCountsTest, ReturnsTheLatestOfMany) {
  GenerationCounts counts;
  constexpr auto kMost = static_cast<std::int64_t>(GenerationCounts::kMost);
  for (std::int64_t i = 1; i <= kMost + 5; ++i) counts.Add(i);
  const Generations before = counts.Before(kMost + 3);
  ASSERT_EQ(before.size(), GenerationCounts::kMost);
  EXPECT_EQ(before.front(), 3);
  EXPECT_EQ(before.back(), kMost + 2);
}

}  // namespace
}  // namespace echod
