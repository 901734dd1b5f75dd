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

}  // namespace
}  // namespace echod
