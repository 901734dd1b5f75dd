// SPDX-License-Identifier: Apache-2.0

#include "echo/server/walk_pace.h"

#include <algorithm>
#include <chrono>

#include "echo/base/clock.h"
#include "gtest/gtest.h"

namespace echod {
namespace {

using Duration = WalkPace::Duration;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

// A loop that serves clients and one endless walk.
struct Loop {
  WalkPace pace;
  WalkPace::Times times;
  Duration walked{};
  Duration longest_part{};
  Duration longest_wait{};

  // Runs the loop for so long, with so much CPU time for clients per
  // millisecond.
  void Run(Duration time, Duration per_millisecond) {
    const MonotonicTime end = times.now + time;
    while (times.now < end) {
      const Duration part = pace.Begin(times);
      times.now += part;
      times.cpu += part;
      walked += part;
      longest_part = std::max(longest_part, part);
      pace.End(times);
      const Duration wait = pace.Wait();
      longest_wait = std::max(longest_wait, wait);
      const Duration passed = wait + WalkPace::kTurnOverhead;
      times.now += passed;
      times.cpu +=
          WalkPace::kTurnOverhead + per_millisecond * (passed + part).count() /
                                        Duration(milliseconds(1)).count();
    }
  }
};

TEST(WalkPaceTest, WalksTakeTheirShareOfALoopThatServesClients) {
  Loop loop;
  loop.Run(seconds(10), microseconds(380));
  const Duration share = Duration(seconds(10)) / WalkPace::kShare;
  EXPECT_GT(loop.walked, WalkPace::kBurst + share * 8 / 10);
  EXPECT_LT(loop.walked, WalkPace::kBurst + share * 12 / 10);
  EXPECT_EQ(loop.longest_part, WalkPace::kBusyPart);
}

TEST(WalkPaceTest, ABurstIsServedAtOnceAndComesBack) {
  Loop loop;
  loop.Run(milliseconds(20), microseconds(380));
  EXPECT_GE(loop.walked, WalkPace::kBurst);
  loop.times.now += WalkPace::kBurst * WalkPace::kShare;
  loop.times.cpu += seconds(1);
  const Duration before = loop.walked;
  loop.Run(milliseconds(20), microseconds(380));
  EXPECT_GE(loop.walked - before, WalkPace::kBurst);
}

TEST(WalkPaceTest, WalksTakeAllOfAnIdleLoop) {
  Loop loop;
  loop.Run(seconds(1), microseconds(0));
  EXPECT_GT(loop.walked, milliseconds(900));
  EXPECT_EQ(loop.longest_part, WalkPace::kIdlePart);
}

TEST(WalkPaceTest, ALoopThatGetsBusyIsSeenWithinTheWindow) {
  Loop loop;
  loop.Run(seconds(1), microseconds(0));
  const Duration before = loop.walked;
  loop.Run(seconds(1), microseconds(380));
  EXPECT_LT(loop.walked - before,
            WalkPace::kWindow + WalkPace::kBurst + milliseconds(12));
}

TEST(WalkPaceTest, ALoopThatGetsIdleIsSeenWithinTwoWindows) {
  Loop loop;
  loop.Run(seconds(1), microseconds(380));
  const Duration before = loop.walked;
  loop.Run(milliseconds(100), microseconds(0));
  EXPECT_GT(loop.walked - before, milliseconds(60));
}

TEST(WalkPaceTest, APartThatTookLongDelaysTheNextOneByATenthOfASecondAtMost) {
  Loop loop;
  loop.Run(milliseconds(100), microseconds(380));
  loop.pace.Begin(loop.times);
  loop.times.now += seconds(3);
  loop.times.cpu += seconds(3);
  loop.pace.End(loop.times);
  const Duration before = loop.walked;
  loop.Run(milliseconds(120), microseconds(380));
  EXPECT_GT(loop.walked, before);
  EXPECT_LE(loop.longest_wait, WalkPace::kLongestWait);
}

}  // namespace
}  // namespace echod
