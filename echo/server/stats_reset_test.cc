// SPDX-License-Identifier: Apache-2.0

// Statistics that are reset while the server works.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "echo/base/histogram.h"
#include "echo/control/close_reason.h"
#include "echo/control/stats.h"
#include "echo/server/echo_server.h"
#include "echo/testing/test_server.h"
#include "gtest/gtest.h"
#include "tests/support/conversation.h"
#include "tests/support/eventually.h"
#include "tests/support/tcp_client.h"

namespace echod {
namespace {

using testing::Echoes;
using testing::Eventually;
using testing::TcpClient;

constexpr auto kPeerClosed = static_cast<std::size_t>(CloseReason::kPeerClosed);

// An echo arrives before it has been counted.
bool HasCounted(TestServer& server, std::uint64_t echoes) {
  return Eventually([&] {
    return server.control().GetStats().total.echo_latency.count() == echoes;
  });
}

TEST(StatsResetTest, AnswersTheValuesBeforeAndKeepsGauges) {
  TestServer server;
  TcpClient client = server.Connect();
  ASSERT_TRUE(Echoes(client, "one") && HasCounted(server, 1));
  const absl::Time start = server.clock().WallNow();
  EXPECT_FALSE(server.control().GetStatsSinceReset().reset_time.has_value());

  const Stats before = server.control().ResetStats();
  EXPECT_FALSE(before.reset_time.has_value());
  EXPECT_EQ(before.total.accepted, 1);
  EXPECT_EQ(before.total.active, 1);
  EXPECT_EQ(before.total.lines_echoed, 1);
  EXPECT_EQ(before.total.echo_latency.count(), 1u);

  const Stats after = server.control().GetStatsSinceReset();
  EXPECT_EQ(after.reset_time, start);
  for (const Counters& counters :
       {after.total, after.listeners.at("default"), after.workers.at(0)}) {
    EXPECT_EQ(counters.accepted, 0);
    EXPECT_EQ(counters.active, 1);
    EXPECT_EQ(counters.lines_echoed, 0);
    EXPECT_EQ(counters.bytes_received, 0);
    EXPECT_EQ(counters.bytes_sent, 0);
    EXPECT_EQ(counters.echo_latency.count(), 0u);
    EXPECT_EQ(counters.echo_latency.sum(), 0u);
  }

  ASSERT_TRUE(Echoes(client, "two") && Echoes(client, "three"));
  ASSERT_TRUE(HasCounted(server, 3));
  const Stats since = server.control().GetStatsSinceReset();
  EXPECT_EQ(since.listeners.at("default").lines_echoed, 2);
  EXPECT_EQ(since.total.echo_latency.count(), 2u);
  // What is scraped knows of no reset.
  const Stats all = server.control().GetStats();
  EXPECT_EQ(all.total.lines_echoed, 3);
  EXPECT_EQ(all.total.accepted, 1);
  EXPECT_EQ(all.total.echo_latency.count(), 3u);
  EXPECT_FALSE(all.reset_time.has_value());
}

TEST(StatsResetTest, ResetsTheLagOfLoops) {
  TestServer server;
  TcpClient client = server.Connect();
  ASSERT_TRUE(Echoes(client, "in"));
  ASSERT_TRUE(Eventually(
      [&] { return server.control().GetStats().loop_lag.at(0).count() >= 3; }));
  EXPECT_GE(server.control().ResetStats().loop_lag.at(0).count(), 3u);
  const std::uint64_t since =
      server.control().GetStatsSinceReset().loop_lag.at(0).count();
  EXPECT_LE(since + 3, server.control().GetStats().loop_lag.at(0).count());
}

// Names do not make listeners the same.
TEST(StatsResetTest, AListenerOfADeletedOnesNameStartsAtZero) {
  TestServer server;
  ASSERT_TRUE(server.Create(Creation("a")).ok());
  {
    TcpClient client = server.ConnectTo("a");
    ASSERT_TRUE(Echoes(client, "one") && Echoes(client, "two"));
    ASSERT_TRUE(HasCounted(server, 2));
  }
  EXPECT_EQ(server.control().ResetStats().listeners.at("a").lines_echoed, 2);
  ASSERT_TRUE(server.Delete({.id = "a"}).ok());
  ASSERT_TRUE(server.Create(Creation("a")).ok());
  TcpClient client = server.ConnectTo("a");
  ASSERT_TRUE(Echoes(client, "three") && HasCounted(server, 3));
  const Stats since = server.control().GetStatsSinceReset();
  EXPECT_EQ(since.listeners.at("a").lines_echoed, 1);
  EXPECT_EQ(since.listeners.at("a").echo_latency.count(), 1u);
  // What the deleted one counted is not counted again.
  EXPECT_EQ(since.total.lines_echoed, 1);
  EXPECT_EQ(since.total.echo_latency.count(), 1u);
}

void ExpectNothingNegative(const Counters& counters) {
  EXPECT_GE(counters.accepted, 0);
  EXPECT_GE(counters.lines_echoed, 0);
  EXPECT_GE(counters.bytes_received, 0);
  EXPECT_GE(counters.bytes_sent, 0);
  EXPECT_GE(counters.closed[kPeerClosed], 0);
}

// Several operators reset while clients come, echo and go, and listeners come
// and go: every event is in exactly one answer, and nothing is ever negative.
TEST(StatsResetTest, NothingIsLostOrCountedTwiceUnderTraffic) {
  constexpr int kOperators = 3;
  constexpr int kClients = 40;
  TestServer server(Workers(2));
  std::atomic<bool> over = false;
  std::vector<Counters> sums(kOperators);
  std::vector<std::thread> operators;
  for (int i = 0; i < kOperators; ++i) {
    operators.emplace_back([&, i] {
      do {
        const Stats before = server.control().ResetStats();
        ExpectNothingNegative(before.total);
        ExpectNothingNegative(before.workers.at(1));
        sums[static_cast<std::size_t>(i)] += before.total;
        ExpectNothingNegative(server.control().GetStatsSinceReset().total);
      } while (!over.load());
    });
  }
  for (int i = 0; i < kClients; ++i) {
    const std::string id = absl::StrCat("a", i % 3);
    ASSERT_TRUE(server.Create(Creation(id)).ok());
    TcpClient client = server.ConnectTo(id);
    ASSERT_TRUE(Echoes(client, "in"));
    ASSERT_TRUE(server.Delete({.id = id}).ok());
    ASSERT_TRUE(Echoes(client, "still in"));
  }
  EXPECT_TRUE(Eventually(
      [&] { return server.control().GetStats().total.active == 0; }));
  over = true;
  for (std::thread& each : operators) each.join();

  Counters sum = server.control().ResetStats().total;
  for (const Counters& each : sums) sum += each;
  const Counters all = server.control().GetStats().total;
  EXPECT_EQ(all.accepted, kClients);
  EXPECT_EQ(sum.accepted, kClients);
  EXPECT_EQ(sum.lines_echoed, 2 * kClients);
  EXPECT_EQ(sum.bytes_received, all.bytes_received);
  EXPECT_EQ(sum.bytes_sent, all.bytes_sent);
  EXPECT_EQ(sum.closed[kPeerClosed], kClients);
  EXPECT_EQ(sum.echo_latency.count(), 2u * kClients);
  EXPECT_EQ(sum.echo_latency.sum(), all.echo_latency.sum());
  EXPECT_EQ(sum.connection_duration.count(), std::uint64_t{kClients});
}

}  // namespace
}  // namespace echod
