// SPDX-License-Identifier: Apache-2.0

#include "echo/event/loop_lag.h"

#include <sys/syscall.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <memory>
#include <thread>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "echo/base/histogram.h"
#include "echo/event/event_loop.h"
#include "echo/event/timer.h"
#include "gtest/gtest.h"
#include "tests/support/eventually.h"
#include "tests/support/refused_system_call.h"

namespace echod {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using testing::Eventually;

Histogram Read(const LoopLag& lag) {
  Histogram lags = FigureHistogram();
  lag.lags().AddTo(lags);
  return lags;
}

std::uint64_t CountAbove(const Histogram& lags, nanoseconds bound) {
  std::uint64_t count = 0;
  lags.ForEachBucket([&](std::uint64_t highest, std::uint64_t times) {
    if (highest > static_cast<std::uint64_t>(bound.count())) count += times;
  });
  return count;
}

// Keeps the calling thread busy.
void Stall(nanoseconds time) {
  const auto end = std::chrono::steady_clock::now() + time;
  while (std::chrono::steady_clock::now() < end) {
  }
}

// A loop on a thread of its own, and its lag.
class LoopLagTest : public ::testing::Test {
 protected:
  ~LoopLagTest() override { Stop(); }

  void Run() {
    ASSERT_TRUE(lag_.Begin().ok());
    lag_.Resume();
    thread_ = std::thread([this] { EXPECT_TRUE(loop_->Run().ok()); });
  }
  void Stop() {
    if (!thread_.joinable()) return;
    loop_->Stop();
    thread_.join();
  }

  const std::unique_ptr<EventLoop> loop_ = *EventLoop::Create();
  bool wanted_ = true;  // loop thread only, while it runs
  int asked_ = 0;       // as wanted_
  LoopLag lag_{*loop_, [this] {
                 ++asked_;
                 return wanted_;
               }};
  std::thread thread_;
};

TEST_F(LoopLagTest, MeasuresForAsLongAsItIsWanted) {
  Run();
  EXPECT_TRUE(Eventually([&] { return Read(lag_).count() >= 3; }));
}

TEST_F(LoopLagTest, AStallCountsForEachOfItsPeriods) {
  Run();
  ASSERT_TRUE(Eventually([&] { return Read(lag_).count() >= 1; }));
  // A descriptor becomes readable in the first period of the stall, another in
  // the second, and a third in the third.
  loop_->Post([] { Stall(LoopLag::kPeriod * 3 + milliseconds(50)); });
  ASSERT_TRUE(Eventually([&] {
    return CountAbove(Read(lag_), LoopLag::kPeriod * 2 + milliseconds(50)) >= 1;
  }));
  const Histogram lags = Read(lag_);
  EXPECT_GE(CountAbove(lags, LoopLag::kPeriod + milliseconds(50)), 2u);
  EXPECT_GE(CountAbove(lags, milliseconds(50)), 3u);
}

TEST_F(LoopLagTest, LetsTheLoopSleepWhileItIsNotWanted) {
  wanted_ = false;
  Run();
  ASSERT_TRUE(Eventually([&] { return Read(lag_).count() >= 1; }));
  const std::uint64_t before = Read(lag_).count();
  std::atomic<bool> passed = false;
  std::unique_ptr<Timer> timer;
  loop_->Post([&] {
    timer = std::make_unique<Timer>(*loop_, [&] { passed = true; });
    timer->Arm(absl::FromChrono(LoopLag::kPeriod * 3));
  });
  ASSERT_TRUE(Eventually([&] { return passed.load(); }));
  EXPECT_EQ(Read(lag_).count(), before);
  loop_->Post([this] { lag_.Resume(); });
  EXPECT_TRUE(Eventually([&] { return Read(lag_).count() > before; }));
  Stop();
  EXPECT_EQ(asked_, 2);
}

TEST(LoopLagLimitTest, SaysThatTheSystemHasNoTimer) {
  std::thread([] {
    if (!testing::RefuseSystemCall(SYS_timerfd_create, EMFILE)) {
      GTEST_SKIP() << "this machine does not permit seccomp filters";
    }
    const std::unique_ptr<EventLoop> loop = *EventLoop::Create();
    LoopLag lag(*loop, [] { return true; });
    const absl::Status begun = lag.Begin();
    EXPECT_EQ(begun.code(), absl::StatusCode::kResourceExhausted) << begun;
    lag.Resume();  // does nothing
    EXPECT_EQ(Read(lag).count(), 0u);
  }).join();
}

}  // namespace
}  // namespace echod
