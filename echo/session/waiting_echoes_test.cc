// SPDX-License-Identifier: Apache-2.0

#include "echo/session/waiting_echoes.h"

#include <chrono>
#include <cstdint>
#include <random>
#include <utility>
#include <vector>

#include "echo/base/clock.h"
#include "gtest/gtest.h"

namespace echod {
namespace {

MonotonicTime At(std::int64_t millis) {
  return MonotonicTime(std::chrono::milliseconds(millis));
}

using Taken = std::vector<std::pair<MonotonicTime, std::uint64_t>>;

Taken Take(WaitingEchoes& echoes, std::int64_t position) {
  Taken taken;
  echoes.Take(position, [&](MonotonicTime read_at, std::uint64_t reads) {
    taken.emplace_back(read_at, reads);
  });
  return taken;
}

TEST(WaitingEchoesTest, AnEchoIsTakenWithItsLastByte) {
  WaitingEchoes echoes;
  EXPECT_TRUE(echoes.empty());
  echoes.Add(10, At(1));
  echoes.Add(15, At(2));
  echoes.Add(20, At(3));
  EXPECT_EQ(Take(echoes, 9), Taken());
  EXPECT_EQ(Take(echoes, 16), (Taken{{At(1), 1}, {At(2), 1}}));
  EXPECT_FALSE(echoes.empty());
  EXPECT_EQ(Take(echoes, 20), (Taken{{At(3), 1}}));
  EXPECT_TRUE(echoes.empty());
}

TEST(WaitingEchoesTest, IsExactForAsManyAsItHolds) {
  WaitingEchoes echoes;
  const auto most = static_cast<std::int64_t>(WaitingEchoes::kMost);
  for (std::int64_t i = 1; i <= most; ++i) echoes.Add(i, At(i));
  for (std::int64_t i = 1; i <= most; ++i) {
    EXPECT_EQ(Take(echoes, i), (Taken{{At(i), 1}}));
  }
}

// However many wait: each read counts once, none before its echo was taken,
// and with a time that is right for one of the reads that it stands for.
TEST(WaitingEchoesTest, CountsEveryReadWithATimeNearby) {
  std::mt19937 random(3);
  for (int round = 0; round < 200; ++round) {
    WaitingEchoes echoes;
    std::int64_t added = 0;    // reads; the echo of read i ends at i
    std::int64_t counted = 0;  // of these
    const auto take = [&](std::int64_t position) {
      for (const auto& [read_at, reads] : Take(echoes, position)) {
        counted += static_cast<std::int64_t>(reads);
        // The last of the reads that this mark stands for.
        ASSERT_EQ(read_at, At(counted));
        ASSERT_LE(counted, position);
      }
    };
    for (int step = 0; step < 20; ++step) {
      for (auto more = random() % 100; more > 0; --more) {
        ++added;
        echoes.Add(added, At(added));
      }
      const std::int64_t waiting = added - counted;
      take(counted + static_cast<std::int64_t>(random()) % (waiting + 1));
    }
    take(added);
    ASSERT_EQ(counted, added);
    ASSERT_TRUE(echoes.empty());
    // What comes next is exact again.
    echoes.Add(added + 1, At(1));
    echoes.Add(added + 2, At(2));
    ASSERT_EQ(Take(echoes, added + 1), (Taken{{At(1), 1}}));
  }
}

}  // namespace
}  // namespace echod
