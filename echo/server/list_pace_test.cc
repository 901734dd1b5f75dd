// SPDX-License-Identifier: Apache-2.0

// Lists in an endless loop leave the worker's loop to clients.

#include <sys/socket.h>

#include <chrono>
#include <cstdint>
#include <ctime>
#include <functional>
#include <memory>
#include <utility>

#include "echo/base/clock.h"
#include "echo/base/descriptor_limit.h"
#include "echo/base/socket_address.h"
#include "echo/base/unique_fd.h"
#include "echo/control/connection_control.h"
#include "echo/control/connection_fields.h"
#include "echo/event/event_loop.h"
#include "echo/server/walk_pace.h"
#include "echo/server/worker.h"
#include "echo/session/listener_handle.h"
#include "echo/session/listener_stats.h"
#include "echo/testing/every_turn.h"
#include "echo/testing/fake_clock.h"
#include "gtest/gtest.h"

namespace echod {
namespace {

using std::chrono::nanoseconds;

// CPU time that the calling thread has used.
nanoseconds CpuTime() {
  timespec used = {};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return std::chrono::seconds(used.tv_sec) + nanoseconds(used.tv_nsec);
}

void UseCpuFor(nanoseconds time) {
  const nanoseconds end = CpuTime() + time;
  while (CpuTime() < end) {
  }
}

TEST(ListPaceTest, ListsInALoopTakeFewTurnsOfABusyWorker) {
  RaiseDescriptorLimit();
  const auto loop = *EventLoop::Create();
  FakeClock clock;
  const auto stats = std::make_shared<ListenerStats>(1);
  Worker worker(0, clock, *loop);
  worker.AddListener(ListenerHandle{1}, "default", {}, stats);
  // A page looks at all of them, for more than 100 us in total.
  for (std::uint64_t number = 1; number <= 6000; ++number) {
    UniqueFd rests(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, /*protocol=*/0));
    ASSERT_TRUE(rests.valid());
    worker.AddLoad();
    worker.Adopt({.listener = ListenerHandle{1},
                  .stats = stats,
                  .socket = std::move(rests),
                  .remote = SocketAddress(),
                  .number = number,
                  .generation = 1});
  }

  int pages = 0;
  ConnectionQuery query;
  query.order = {{.field = ConnectionField::kBytesSent, .descending = true}};
  query.limit = 1;
  const std::function<void()> list = [&] {
    worker.List(query, [&](const ConnectionPart&) {
      ++pages;
      list();
    });
  };
  list();
  nanoseconds for_clients{};
  const EveryTurn clients(*loop, [&] {
    const nanoseconds begin = CpuTime();
    UseCpuFor(std::chrono::microseconds(250));
    for_clients += CpuTime() - begin;
    if (for_clients >= std::chrono::milliseconds(500)) loop->Stop();
  });
  const MonotonicTime start = SystemClock().PreciseNow();
  const nanoseconds used_before = CpuTime();
  ASSERT_TRUE(loop->Run().ok());
  const nanoseconds for_lists = CpuTime() - used_before - for_clients;
  const nanoseconds passed = SystemClock().PreciseNow() - start;
  worker.Stop();
  EXPECT_GT(pages, 0);
  // Twice, since the loop's own work is in it. Without a pace, they take more
  // than half as much as clients.
  EXPECT_LT(for_lists, 2 * (WalkPace::kBurst + passed / WalkPace::kShare));
}

}  // namespace
}  // namespace echod
