// SPDX-License-Identifier: Apache-2.0

#include "echo/base/clock.h"

#include "echo/testing/fake_clock.h"
#include "gtest/gtest.h"

namespace echod {
namespace {

TEST(ClockTest, TimeAfterIsBounded) {
  FakeClock clock;
  const MonotonicTime now = clock.MonotonicNow();
  EXPECT_EQ(TimeAfter(clock, absl::Seconds(5)), now + std::chrono::seconds(5));
  EXPECT_EQ(TimeAfter(clock, -absl::Seconds(5)), now);
  EXPECT_GT(TimeAfter(clock, absl::InfiniteDuration()), now);
}

TEST(ClockTest, TheSystemsClockDoesNotGoBack) {
  MonotonicTime last = SystemClock().MonotonicNow();
  for (int i = 0; i < 1000; ++i) {
    const MonotonicTime now = SystemClock().MonotonicNow();
    EXPECT_GE(now, last);
    last = now;
  }
}

TEST(ClockTest, BothClocksTellTheSameTime) {
  for (int i = 0; i < 1000; ++i) {
    const MonotonicTime coarse = SystemClock().MonotonicNow();
    const MonotonicTime precise = SystemClock().PreciseNow();
    EXPECT_GE(precise, coarse);
  }
}

// Milliseconds would do for nothing that is measured.
TEST(ClockTest, ThePreciseClockTellsMicroseconds) {
  const MonotonicTime start = SystemClock().PreciseNow();
  MonotonicTime now = start;
  while (now == start) now = SystemClock().PreciseNow();
  MonotonicTime next = now;
  while (next == now) next = SystemClock().PreciseNow();
  EXPECT_LT(next - now, std::chrono::milliseconds(1));
}

}  // namespace
}  // namespace echod
