// SPDX-License-Identifier: Apache-2.0

#include "echo/control/session_event_queue.h"

#include <cstdint>
#include <thread>
#include <vector>

#include "echo/control/session_event.h"
#include "gtest/gtest.h"

namespace echod {
namespace {

SessionEvent Event(std::uint64_t number) {
  SessionEvent event;
  event.connection.number = number;
  return event;
}

TEST(SessionEventQueueTest, KeepsTheOrderAndWakesOnce) {
  int wakes = 0;
  SessionEventQueue queue(10, [&] { ++wakes; });
  for (std::uint64_t i = 1; i <= 3; ++i) queue.Add(Event(i));
  EXPECT_EQ(wakes, 1);
  const SessionEventQueue::Batch batch = queue.Take();
  ASSERT_EQ(batch.events.size(), 3u);
  for (std::uint64_t i = 0; i < 3; ++i) {
    EXPECT_EQ(batch.events[i].connection.number, i + 1);
  }
  EXPECT_EQ(batch.missed, 0);
  queue.Add(Event(4));
  EXPECT_EQ(wakes, 2);
}

TEST(SessionEventQueueTest, CountsWhatDoesNotFit) {
  SessionEventQueue queue(2, [] {});
  for (std::uint64_t i = 1; i <= 5; ++i) queue.Add(Event(i));
  SessionEventQueue::Batch batch = queue.Take();
  EXPECT_EQ(batch.events.size(), 2u);
  EXPECT_EQ(batch.missed, 3);
  queue.Add(Event(6));
  batch = queue.Take();
  EXPECT_EQ(batch.events.size(), 1u);
  EXPECT_EQ(batch.missed, 0);
  EXPECT_EQ(queue.missed(), 3);
}

// Each event is in a batch, or counted in the one before the gap.
TEST(SessionEventQueueTest, LosesNothingUncounted) {
  constexpr int kWriters = 3;
  constexpr std::uint64_t kEvents = 20'000;
  SessionEventQueue queue(16, [] {});
  std::vector<std::thread> writers;
  for (int writer = 0; writer < kWriters; ++writer) {
    writers.emplace_back([&] {
      for (std::uint64_t i = 1; i <= kEvents; ++i) queue.Add(Event(i));
    });
  }
  std::uint64_t seen = 0;
  std::int64_t missed = 0;
  while (seen + static_cast<std::uint64_t>(missed) < kWriters * kEvents) {
    const SessionEventQueue::Batch batch = queue.Take();
    EXPECT_LE(batch.events.size(), 16u);
    seen += batch.events.size();
    missed += batch.missed;
  }
  for (std::thread& writer : writers) writer.join();
  EXPECT_TRUE(queue.Take().events.empty());
  EXPECT_EQ(queue.missed(), missed);
}

}  // namespace
}  // namespace echod
