// SPDX-License-Identifier: Apache-2.0

#include "echo/session/listener_stats.h"

#include <cstdint>
#include <vector>

#include "gtest/gtest.h"

namespace echod {
namespace {

TEST(ListenerStatsTest, SumsWorkersAndTheMainLoop) {
  ListenerStats stats(3);
  for (int i = 0; i < 3; ++i) {
    WorkerStats& worker = stats.worker(i);
    worker.accepted.Add(1);
    worker.active.Add(2);
    worker.closed[static_cast<std::size_t>(CloseReason::kPeerReset)].Add(3);
    worker.bytes_received.Add(4);
    worker.bytes_sent.Add(5);
    worker.lines_echoed.Add(6);
    worker.bytes_buffered.Add(7);
    worker.read_pauses.Add(8);
    worker.echo_latency.Record(100 * (static_cast<std::uint64_t>(i) + 1));
    worker.connection_duration.Record(7);
  }
  stats.rejected_max_connections.Add(9);
  stats.accept_errors.Add(10);
  const Counters total = stats.Total();
  EXPECT_EQ(total.accepted, 3);
  EXPECT_EQ(total.active, 6);
  EXPECT_EQ(total.closed[static_cast<std::size_t>(CloseReason::kPeerReset)], 9);
  EXPECT_EQ(total.closed[static_cast<std::size_t>(CloseReason::kPeerClosed)],
            0);
  EXPECT_EQ(total.bytes_received, 12);
  EXPECT_EQ(total.bytes_sent, 15);
  EXPECT_EQ(total.lines_echoed, 18);
  EXPECT_EQ(total.bytes_buffered, 21);
  EXPECT_EQ(total.read_pauses, 24);
  EXPECT_EQ(total.rejected_max_connections, 9);
  EXPECT_EQ(total.accept_errors, 10);
  EXPECT_EQ(total.echo_latency.count(), 3u);
  EXPECT_EQ(total.echo_latency.sum(), 600u);
  EXPECT_EQ(total.connection_duration.count(), 3u);
  EXPECT_EQ(total.connection_duration.sum(), 21u);
}

TEST(ListenerStatsTest, AddsEachWorkersPartToItsPlace) {
  ListenerStats stats(2);
  stats.worker(0).accepted.Add(1);
  stats.worker(1).accepted.Add(2);
  stats.worker(1).echo_latency.Record(5);
  stats.accept_errors.Add(3);
  std::vector<Counters> workers(2);
  workers[1].accepted = 10;
  const Counters total = stats.AddTo(workers);
  EXPECT_EQ(total.accepted, 3);
  EXPECT_EQ(total.accept_errors, 3);
  EXPECT_EQ(total.echo_latency.count(), 1u);
  EXPECT_EQ(workers[0].accepted, 1);
  EXPECT_EQ(workers[1].accepted, 12);
  EXPECT_EQ(workers[0].echo_latency.count(), 0u);
  EXPECT_EQ(workers[1].echo_latency.count(), 1u);
  EXPECT_EQ(workers[1].accept_errors, 0);
}

TEST(ListenerStatsTest, WorkersShareNoCacheLine) {
  ListenerStats stats(2);
  const auto distance = reinterpret_cast<char*>(&stats.worker(1)) -
                        reinterpret_cast<char*>(&stats.worker(0));
  EXPECT_EQ(distance % 64, 0);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(&stats.worker(0)) % 64, 0u);
}

}  // namespace
}  // namespace echod
