// SPDX-License-Identifier: Apache-2.0

#include "echo/event/timer.h"

#include <chrono>

#include "absl/time/time.h"
#include "echo/event/event_loop.h"
#include "echo/testing/every_turn.h"
#include "gtest/gtest.h"

namespace echod {
namespace {

// As after the process was stopped: what came meanwhile is served first.
TEST(TimerTest, OneThatIsVeryLateComesBehindWhatIsReady) {
  const auto owned = *EventLoop::Create();
  EventLoop& loop = *owned;
  bool stopped = false;
  bool served = false;
  bool served_first = false;
  const EveryTurn ready(loop, [&] { served = stopped; });
  Timer timer(loop, [&] {
    served_first = served;
    loop.Stop();
  });
  timer.Arm(absl::Milliseconds(1));
  loop.Post([&] {
    const auto end =
        std::chrono::steady_clock::now() + std::chrono::milliseconds(150);
    while (std::chrono::steady_clock::now() < end) {
    }
    stopped = true;
  });
  EXPECT_TRUE(loop.Run().ok());
  EXPECT_TRUE(served_first);
}

TEST(TimerTest, FiresOnce) {
  const auto owned = *EventLoop::Create();
  EventLoop& loop = *owned;
  int fired = 0;
  Timer timer(loop, [&] { ++fired; });
  Timer end(loop, [&] { loop.Stop(); });
  timer.Arm(absl::ZeroDuration());
  end.Arm(absl::Milliseconds(20));
  EXPECT_TRUE(timer.armed());
  EXPECT_TRUE(loop.Run().ok());
  EXPECT_EQ(fired, 1);
  EXPECT_FALSE(timer.armed());
}

TEST(TimerTest, ArmingAgainReplacesAndDisarmingTakesBack) {
  const auto owned = *EventLoop::Create();
  EventLoop& loop = *owned;
  int fired = 0;
  Timer later(loop, [&] { ++fired; });
  Timer never(loop, [&] { ++fired; });
  Timer end(loop, [&] { loop.Stop(); });
  later.Arm(absl::ZeroDuration());
  later.Arm(absl::InfiniteDuration());
  never.Arm(-absl::Seconds(1));
  never.Disarm();
  end.Arm(absl::Milliseconds(20));
  EXPECT_TRUE(loop.Run().ok());
  EXPECT_EQ(fired, 0);
}

TEST(TimerTest, MayArmItselfAgain) {
  const auto owned = *EventLoop::Create();
  EventLoop& loop = *owned;
  int fired = 0;
  Timer* self = nullptr;
  Timer timer(loop, [&] {
    if (++fired == 3) return loop.Stop();
    self->Arm(absl::Milliseconds(1));
  });
  self = &timer;
  timer.Arm(absl::ZeroDuration());
  EXPECT_TRUE(loop.Run().ok());
  EXPECT_EQ(fired, 3);
}

}  // namespace
}  // namespace echod
