// SPDX-License-Identifier: Apache-2.0

#include "echo/server/log_level_switch.h"

#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <thread>

#include "absl/time/time.h"
#include "echo/base/log_level.h"
#include "echo/base/logging.h"
#include "echo/control/server_control.h"
#include "echo/event/event_loop.h"
#include "echo/testing/fake_clock.h"
#include "gtest/gtest.h"
#include "tests/support/eventually.h"

namespace echod {
namespace {

using testing::Eventually;

constexpr absl::Duration kShort = absl::Milliseconds(1);

// The loop has a thread of its own, and the clock stands still.
class LogLevelSwitchTest : public ::testing::Test {
 protected:
  LogLevelSwitchTest() {
    SetLogLevel(LogLevel::kInfo);
    OnLoop(
        [this] { levels_ = std::make_unique<LogLevelSwitch>(*loop_, clock_); });
  }
  ~LogLevelSwitchTest() override {
    OnLoop([this] { levels_.reset(); });
    loop_->Stop();
    thread_.join();
    SetLogLevel(LogLevel::kInfo);
  }

  void OnLoop(const std::function<void()>& task) {
    std::promise<void> done;
    loop_->Post([&] {
      task();
      done.set_value();
    });
    done.get_future().wait();
  }

  LogLevelChange Set(LogLevel level,
                     std::optional<absl::Duration> duration = std::nullopt) {
    LogLevelChange change;
    OnLoop([&] { change = levels_->Set(level, duration); });
    return change;
  }

  // Waits until the timer has found that it is too early.
  bool TimerLooks() {
    const std::int64_t looks = clock_.looks();
    return Eventually([&] { return clock_.looks() > looks + 2; });
  }

  FakeClock clock_;
  const std::unique_ptr<EventLoop> loop_ = *EventLoop::Create();
  std::thread thread_{[this] { EXPECT_TRUE(loop_->Run().ok()); }};
  std::unique_ptr<LogLevelSwitch> levels_;
};

TEST_F(LogLevelSwitchTest, WithoutADurationItStays) {
  const LogLevelChange change = Set(LogLevel::kError);
  EXPECT_EQ(change.before.level, LogLevel::kInfo);
  EXPECT_EQ(change.after.level, LogLevel::kError);
  EXPECT_FALSE(change.after.return_time.has_value());
  EXPECT_EQ(CurrentLogLevel(), LogLevel::kError);
  EXPECT_EQ(levels_->Get().level, LogLevel::kError);
}

TEST_F(LogLevelSwitchTest, WithADurationItReturnsAfterIt) {
  const LogLevelChange change = Set(LogLevel::kDebug, kShort);
  EXPECT_EQ(change.after.level, LogLevel::kDebug);
  EXPECT_EQ(change.after.returns_to, LogLevel::kInfo);
  EXPECT_EQ(change.after.return_time, clock_.WallNow() + kShort);
  ASSERT_TRUE(TimerLooks());
  EXPECT_EQ(CurrentLogLevel(), LogLevel::kDebug);
  clock_.Advance(kShort);
  EXPECT_TRUE(Eventually([&] { return CurrentLogLevel() == LogLevel::kInfo; }));
  EXPECT_EQ(levels_->Get().level, LogLevel::kInfo);
  EXPECT_FALSE(levels_->Get().return_time.has_value());
}

TEST_F(LogLevelSwitchTest, ALaterChangeReplacesTheReturn) {
  Set(LogLevel::kDebug, kShort);
  Set(LogLevel::kWarning);
  clock_.Advance(absl::Hours(1));
  // A change that does come.
  Set(LogLevel::kError, kShort);
  ASSERT_TRUE(TimerLooks());
  EXPECT_EQ(CurrentLogLevel(), LogLevel::kError);
  clock_.Advance(kShort);
  EXPECT_TRUE(
      Eventually([&] { return CurrentLogLevel() == LogLevel::kWarning; }));
}

// Or debug, extended once, would stay for good.
TEST_F(LogLevelSwitchTest, ReturnsToTheLastLevelThatWasSetToStay) {
  Set(LogLevel::kDebug, absl::Hours(1));
  const LogLevelChange change = Set(LogLevel::kDebug, kShort);
  EXPECT_EQ(change.before.level, LogLevel::kDebug);
  EXPECT_EQ(change.after.returns_to, LogLevel::kInfo);
  clock_.Advance(kShort);
  EXPECT_TRUE(Eventually([&] { return CurrentLogLevel() == LogLevel::kInfo; }));
}

}  // namespace
}  // namespace echod
