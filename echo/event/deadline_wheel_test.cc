// SPDX-License-Identifier: Apache-2.0

#include "echo/event/deadline_wheel.h"

#include <chrono>
#include <cstddef>
#include <memory>
#include <vector>

#include "gtest/gtest.h"

namespace echod {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr auto kTick = DeadlineWheel::kTick;
constexpr std::size_t kMost = 1000;
const MonotonicTime kStart{hours(1000)};

class DeadlineWheelTest : public ::testing::Test {
 protected:
  // The entries that come up by then, in order.
  std::vector<DeadlineWheel::Entry*> DueBy(MonotonicTime now) {
    std::vector<DeadlineWheel::Entry*> due;
    wheel_.Advance(now, kMost,
                   [&](DeadlineWheel::Entry& entry) { due.push_back(&entry); });
    return due;
  }

  using Entries = std::vector<DeadlineWheel::Entry*>;
  DeadlineWheel wheel_{kStart};
  DeadlineWheel::Entry a_;
  DeadlineWheel::Entry b_;
};

TEST_F(DeadlineWheelTest, AnEntryComesUpWithinATickOfItsDeadlineAndOnce) {
  wheel_.Schedule(a_, kStart + seconds(1));
  EXPECT_FALSE(wheel_.empty());
  EXPECT_EQ(DueBy(kStart + milliseconds(999)), Entries());
  EXPECT_EQ(DueBy(kStart + seconds(1) + kTick), Entries({&a_}));
  EXPECT_TRUE(wheel_.empty());
  EXPECT_EQ(DueBy(kStart + hours(1)), Entries());
}

TEST_F(DeadlineWheelTest, ADeadlineThatIsPastComesUpNext) {
  wheel_.Schedule(a_, kStart - seconds(5));
  EXPECT_EQ(DueBy(kStart + kTick), Entries({&a_}));
}

TEST_F(DeadlineWheelTest, ADeadlineBeyondTheHorizonComesUpEarly) {
  wheel_.Schedule(a_, kStart + hours(1));
  EXPECT_EQ(DueBy(kStart + seconds(30)), Entries({&a_}));
}

TEST_F(DeadlineWheelTest, SchedulingAgainReplaces) {
  wheel_.Schedule(a_, kStart + seconds(1));
  wheel_.Schedule(a_, kStart + seconds(3));
  EXPECT_EQ(DueBy(kStart + seconds(2)), Entries());
  EXPECT_EQ(DueBy(kStart + seconds(4)), Entries({&a_}));
}

TEST_F(DeadlineWheelTest, CancelledAndDestroyedEntriesDoNotComeUp) {
  wheel_.Schedule(a_, kStart + seconds(1));
  wheel_.Cancel(a_);
  wheel_.Cancel(b_);  // never scheduled: nothing to do
  {
    DeadlineWheel::Entry gone;
    wheel_.Schedule(gone, kStart + seconds(1));
  }
  EXPECT_TRUE(wheel_.empty());
  EXPECT_EQ(DueBy(kStart + seconds(2)), Entries());
}

TEST_F(DeadlineWheelTest, TheCallbackMayDestroyOthersOfItsSlot) {
  auto first = std::make_unique<DeadlineWheel::Entry>();
  auto second = std::make_unique<DeadlineWheel::Entry>();
  wheel_.Schedule(*first, kStart + seconds(1));
  wheel_.Schedule(*second, kStart + seconds(1));
  int calls = 0;
  wheel_.Advance(kStart + seconds(2), kMost, [&](DeadlineWheel::Entry&) {
    ++calls;
    first.reset();
    second.reset();
  });
  EXPECT_EQ(calls, 1);
  EXPECT_TRUE(wheel_.empty());
}

TEST_F(DeadlineWheelTest, WhatIsScheduledInTheCallbackWaitsForItsTurn) {
  wheel_.Schedule(a_, kStart + seconds(1));
  int calls = 0;
  const MonotonicTime now = kStart + seconds(2);
  wheel_.Advance(now, kMost, [&](DeadlineWheel::Entry& entry) {
    ++calls;
    wheel_.Schedule(entry, now);
  });
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(DueBy(now + kTick), Entries({&a_}));
}

TEST_F(DeadlineWheelTest, AfterALongSilenceEverythingComesUpOnce) {
  wheel_.Schedule(a_, kStart + seconds(1));
  wheel_.Schedule(b_, kStart + seconds(20));
  EXPECT_EQ(DueBy(kStart + hours(5)).size(), 2u);
  // An idle wheel is behind; what is scheduled then may come early, never late.
  wheel_.Schedule(a_, kStart + hours(9));
  EXPECT_EQ(DueBy(kStart + hours(9) + kTick), Entries({&a_}));
}

// However many deadlines come at once, whoever advances the wheel has time for
// other things between them.
TEST_F(DeadlineWheelTest, HandsOverNoMoreAtOnceThanItIsAskedFor) {
  std::vector<DeadlineWheel::Entry> entries(5);
  for (std::size_t i = 0; i < entries.size(); ++i) {
    wheel_.Schedule(entries[i], kStart + kTick * static_cast<int>(i));
  }
  const MonotonicTime now = kStart + seconds(1);
  std::vector<DeadlineWheel::Entry*> due;
  const auto advance = [&] {
    return wheel_.Advance(now, 2, [&](DeadlineWheel::Entry& entry) {
      due.push_back(&entry);
      // What is scheduled meanwhile waits for its time.
      wheel_.Schedule(a_, now);
    });
  };
  EXPECT_FALSE(advance());
  EXPECT_EQ(due, Entries({&entries[0], &entries[1]}));
  wheel_.Cancel(entries[3]);
  EXPECT_TRUE(advance());
  EXPECT_EQ(due, Entries({&entries[0], &entries[1], &entries[2], &entries[4]}));
  EXPECT_FALSE(wheel_.empty());
  EXPECT_EQ(DueBy(now + kTick), Entries({&a_}));
  EXPECT_TRUE(wheel_.empty());
}

}  // namespace
}  // namespace echod
