// SPDX-License-Identifier: Apache-2.0

#include "echo/server/operator_jobs.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "echo/base/clock.h"
#include "echo/event/event_loop.h"
#include "echo/server/walk_pace.h"
#include "echo/testing/every_turn.h"
#include "gtest/gtest.h"

namespace echod {
namespace {

using Budget = OperatorJobs::Budget;
using Progress = OperatorJobs::Progress;

// A time that stands still, so that the work alone ends a turn.
MonotonicTime StandsStill() { return MonotonicTime(); }

// Does so many steps of one cost, and counts them.
OperatorJobs::Job Steps(int steps, int cost, int& done) {
  return [left = steps, cost, &done](Budget& budget) mutable {
    for (; left > 0; --left) {
      if (budget.exhausted()) return Progress::kMore;
      ++done;
      budget.Spend(cost);
    }
    return Progress::kDone;
  };
}

// Runs the loop until `done` is `all`, and returns the most that a turn has
// added to it.
int MostInATurn(EventLoop& loop, const int& done, int all) {
  int seen = 0;
  int most = 0;
  const EveryTurn every_turn(loop, [&] {
    most = std::max(most, done - seen);
    seen = done;
    if (done == all) loop.Stop();
  });
  EXPECT_TRUE(loop.Run().ok());
  return most;
}

TEST(OperatorJobsTest, AllJobsTogetherHaveOneBudgetInATurn) {
  const auto loop = *EventLoop::Create();
  OperatorJobs jobs(*loop, StandsStill);
  constexpr int kCost = OperatorJobs::kDescribe;
  int done = 0;
  for (int i = 0; i < 400; ++i) jobs.Add(Steps(100, kCost, done));
  EXPECT_LE(MostInATurn(*loop, done, 400 * 100), OperatorJobs::kTurn / kCost);
}

TEST(OperatorJobsTest, TheTimeEndsATurnThatItsWorkDoesNot) {
  const auto loop = *EventLoop::Create();
  // Each look at the time takes a millisecond.
  MonotonicTime now;
  OperatorJobs jobs(*loop,
                    [&now] { return now += std::chrono::milliseconds(1); });
  int done = 0;
  for (int i = 0; i < 10; ++i) jobs.Add(Steps(1000, 1, done));
  EXPECT_LE(MostInATurn(*loop, done, 10 * 1000), 512);
}

TEST(OperatorJobsTest, AShortJobDoesNotWaitForALongOne) {
  const auto loop = *EventLoop::Create();
  OperatorJobs jobs(*loop, StandsStill);
  int long_done = 0;
  int then = -1;
  jobs.Add(Steps(100, OperatorJobs::kTurn, long_done));
  jobs.Add([&](Budget&) {
    then = long_done;
    return Progress::kDone;
  });
  MostInATurn(*loop, long_done, 100);
  EXPECT_EQ(then, 1);
}

TEST(OperatorJobsTest, BeginsJobsInTheirOrder) {
  const auto loop = *EventLoop::Create();
  OperatorJobs jobs(*loop, StandsStill);
  constexpr int kJobs = 2000;  // more than a turn takes over
  std::vector<int> order;
  std::thread other([&] {
    for (int i = 0; i < kJobs; ++i) {
      jobs.Add([&, i](Budget& budget) {
        order.push_back(i);
        budget.Spend(OperatorJobs::kAnswerRequest);
        if (i == kJobs - 1) loop->Stop();
        return Progress::kDone;
      });
    }
  });
  EXPECT_TRUE(loop->Run().ok());
  other.join();
  EXPECT_EQ(order.size(), static_cast<std::size_t>(kJobs));
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
}

TEST(OperatorJobsTest, AsksAgainLaterAndLeavesTheTurnToOthers) {
  const auto loop = *EventLoop::Create();
  OperatorJobs jobs(*loop);
  bool ready = false;
  jobs.Add([&](Budget&) {
    if (!ready) return Progress::kLater;
    loop->Stop();
    return Progress::kDone;
  });
  jobs.Add([&](Budget&) {
    ready = true;
    return Progress::kDone;
  });
  EXPECT_TRUE(loop->Run().ok());
}

// A made-up time, of which the loop's thread uses all.
struct MadeUpTime {
  MonotonicTime now;

  Budget::Now Now() {
    return [this] { return now; };
  }
  OperatorJobs::CpuTime CpuTime() {
    return [this] { return now.time_since_epoch(); };
  }
};

TEST(OperatorJobsTest, WalksTakeTheirShareOfABusyLoop) {
  const auto loop = *EventLoop::Create();
  MadeUpTime time;
  OperatorJobs jobs(*loop, time.Now(), time.CpuTime());
  constexpr std::chrono::microseconds kStep{1};
  constexpr std::chrono::microseconds kForClients{500};  // in each turn
  constexpr std::chrono::nanoseconds kAll = std::chrono::seconds(2);
  std::chrono::nanoseconds walked{};
  jobs.AddWalk([&](Budget& budget) {
    while (!budget.exhausted()) {
      time.now += kStep;
      walked += kStep;
      budget.Spend(OperatorJobs::kDescribe);
    }
    return Progress::kMore;
  });
  int turns = 0;
  int others = 0;
  const EveryTurn clients(*loop, [&] {
    time.now += kForClients;
    if (++turns * kForClients >= kAll) return loop->Stop();
    // One that is no walk does not wait, whatever they have used.
    jobs.Add([&](Budget&) {
      ++others;
      return Progress::kDone;
    });
  });
  ASSERT_TRUE(loop->Run().ok());
  EXPECT_GE(others, turns - 2);
  EXPECT_GT(walked, WalkPace::kBurst + kAll / (2 * WalkPace::kShare));
  EXPECT_LT(walked, WalkPace::kBurst + 2 * kAll / WalkPace::kShare);
}

TEST(OperatorJobsTest, StoppingDestroysTheJobsThatAreLeftAndEachThatComes) {
  const auto loop = *EventLoop::Create();
  OperatorJobs jobs(*loop);
  const auto token = std::make_shared<int>(0);
  for (const Progress progress : {Progress::kMore, Progress::kLater}) {
    jobs.Add([token, progress](Budget& budget) {
      budget.Spend(OperatorJobs::kTurn);
      return progress;
    });
  }
  jobs.AddWalk([token](Budget& budget) {
    budget.Spend(OperatorJobs::kTurn);
    return Progress::kMore;
  });
  jobs.Add([&loop](Budget&) {
    loop->Stop();
    return Progress::kDone;
  });
  EXPECT_TRUE(loop->Run().ok());
  jobs.Add([token](Budget&) { return Progress::kDone; });
  EXPECT_EQ(token.use_count(), 5);
  jobs.Stop();
  EXPECT_EQ(token.use_count(), 1);
  jobs.Add([token](Budget&) { return Progress::kDone; });
  EXPECT_EQ(token.use_count(), 1);
}

TEST(OperatorJobsTest, AJobMayStopThemAll) {
  const auto loop = *EventLoop::Create();
  OperatorJobs jobs(*loop);
  bool other_ran = false;
  jobs.Add([&](Budget&) {
    jobs.Stop();
    loop->Stop();
    return Progress::kMore;
  });
  jobs.Add([&](Budget&) {
    other_ran = true;
    return Progress::kDone;
  });
  EXPECT_TRUE(loop->Run().ok());
  EXPECT_FALSE(other_ran);
}

}  // namespace
}  // namespace echod
