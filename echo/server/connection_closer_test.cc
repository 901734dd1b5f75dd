// SPDX-License-Identifier: Apache-2.0

#include "echo/server/connection_closer.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "echo/base/clock.h"
#include "echo/control/close_reason.h"
#include "echo/control/connection_control.h"
#include "echo/control/connection_fields.h"
#include "echo/control/control_error.h"
#include "echo/control/reply.h"
#include "echo/server/echo_server.h"
#include "echo/server/spread_limit.h"
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
using End = TcpClient::End;

class EvenNumbers final : public ConnectionPredicate {
 public:
  bool Matches(const ConnectionFields& connection,
               MonotonicTime /*now*/) const override {
    return connection.number() % 2 == 0;
  }
  int cost() const override { return 1; }
};

std::shared_ptr<const ConnectionPredicate> Even() {
  return std::make_shared<EvenNumbers>();
}

std::vector<TcpClient> Connect(TestServer& server, int count) {
  std::vector<TcpClient> clients;
  for (int i = 0; i < count; ++i) {
    clients.push_back(server.Connect());
    EXPECT_TRUE(Echoes(clients.back(), "in"));
  }
  return clients;
}

absl::StatusOr<ClosedConnections> Close(TestServer& server,
                                        const ConnectionClosing& closing) {
  return TestServer::Await<ClosedConnections>(
      [&](Reply<ClosedConnections> reply) {
        server.control().CloseConnections(closing, std::move(reply));
      });
}

std::int64_t Open(TestServer& server) { return server.List({})->total; }

TEST(ConnectionCloserTest, ResetsThoseThatMatchAndNoOthers) {
  TestServer server(Workers(3));
  std::vector<TcpClient> clients = Connect(server, 40);
  const auto closed =
      Close(server, {.filter = Even(), .mode = CloseMode::kReset});
  ASSERT_TRUE(closed.ok()) << closed.status();
  EXPECT_EQ(closed->count, 20);
  // When it answers, they have been reset.
  EXPECT_EQ(Closed(server, CloseReason::kAdminReset), 20);
  EXPECT_EQ(Open(server), 20);
  std::set<std::uint64_t> sample;
  for (const ConnectionInfo& each : closed->sample) sample.insert(each.number);
  EXPECT_GE(sample.size(), ClosedConnections::kMostSampled);
  EXPECT_EQ(*sample.begin(), 2u);
  for (std::size_t i = 0; i < clients.size(); ++i) {
    if (i % 2 == 1) {
      EXPECT_EQ(clients[i].WaitForEnd(), End::kReset);
    } else {
      EXPECT_TRUE(Echoes(clients[i], "still here"));
    }
  }
}

TEST(ConnectionCloserTest, LooksAtNothingForNobody) {
  TestServer server(Workers(2));
  const std::vector<TcpClient> clients = Connect(server, 10);
  const auto abandoned = std::make_shared<std::atomic<bool>>(false);
  const ConnectionClosing closing = {.validate_only = true,
                                     .abandonment = abandoned};
  EXPECT_EQ(Close(server, closing)->count, 10);
  *abandoned = true;
  EXPECT_EQ(Close(server, closing)->count, 0);
}

TEST(ConnectionCloserTest, ClosesAllGracefullyWithoutAFilter) {
  TestServer server(Workers(2));
  std::vector<TcpClient> clients = Connect(server, 10);
  const auto closed = Close(server, {});
  ASSERT_TRUE(closed.ok()) << closed.status();
  EXPECT_EQ(closed->count, 10);
  for (TcpClient& client : clients) EXPECT_EQ(client.WaitForEnd(), End::kEof);
  clients.clear();
  EXPECT_TRUE(Eventually(
      [&] { return Closed(server, CloseReason::kAdminGraceful) == 10; }));
}

TEST(ConnectionCloserTest, AskedOnlyToValidateItClosesNothing) {
  TestServer server(Workers(2));
  std::vector<TcpClient> clients = Connect(server, 10);
  const auto closed = Close(server, {.filter = Even(),
                                     .mode = CloseMode::kReset,
                                     .spread = absl::Seconds(1),
                                     .validate_only = true});
  ASSERT_TRUE(closed.ok()) << closed.status();
  EXPECT_EQ(closed->count, 5);
  EXPECT_EQ(closed->sample.size(), 5u);
  server.clock().Advance(absl::Seconds(2));
  for (TcpClient& client : clients) EXPECT_TRUE(Echoes(client, "still here"));
  EXPECT_EQ(Closed(server, CloseReason::kAdminReset), 0);
}

TEST(ConnectionCloserTest, NoConnectionIsNoError) {
  TestServer server(Workers(2));
  const auto closed = Close(server, {});
  ASSERT_TRUE(closed.ok()) << closed.status();
  EXPECT_EQ(closed->count, 0);
}

// Matches even numbers until it is told otherwise.
class Changing final : public ConnectionPredicate {
 public:
  explicit Changing(std::atomic<bool>& matches) : matches_(matches) {}
  bool Matches(const ConnectionFields& connection,
               MonotonicTime /*now*/) const override {
    return matches_ && connection.number() % 2 == 0;
  }
  int cost() const override { return 1; }

 private:
  std::atomic<bool>& matches_;
};

TEST(ConnectionCloserTest, ASpreadClosesWhatWasSelectedWhenItBegan) {
  TestServer server(Workers(2));
  std::vector<TcpClient> clients = Connect(server, 40);
  std::atomic<bool> matches{true};
  const auto closed =
      Close(server, {.filter = std::make_shared<Changing>(matches),
                     .mode = CloseMode::kReset,
                     .spread = absl::Seconds(40)});
  ASSERT_TRUE(closed.ok()) << closed.status();
  EXPECT_EQ(closed->count, 20);
  // No more: what a filter says may change, and newcomers are not meant.
  matches = false;
  std::vector<TcpClient> newcomers = Connect(server, 2);
  EXPECT_EQ(Closed(server, CloseReason::kAdminReset), 0);

  server.clock().Advance(absl::Seconds(20));
  EXPECT_TRUE(Eventually(
      // Each worker rounds down.
      [&] { return Closed(server, CloseReason::kAdminReset) >= 9; }));
  EXPECT_LE(Closed(server, CloseReason::kAdminReset), 10);
  server.clock().Advance(absl::Seconds(20));
  EXPECT_TRUE(Eventually(
      [&] { return Closed(server, CloseReason::kAdminReset) == 20; }));
  for (TcpClient& client : newcomers) {
    EXPECT_TRUE(Echoes(client, "still here"));
  }
  for (std::size_t i = 0; i < clients.size(); i += 2) {
    EXPECT_TRUE(Echoes(clients[i], "still here"));
  }
}

TEST(ConnectionCloserTest, ASpreadDoesNotWaitForThoseThatLeave) {
  TestServer server(Workers(1));
  std::vector<TcpClient> clients = Connect(server, 8);
  for (std::size_t i = 0; i < SpreadLimit::kMost; ++i) {
    ASSERT_EQ(Close(server, {.spread = absl::Hours(24)})->count, 8);
  }
  ASSERT_FALSE(Close(server, {.spread = absl::Hours(24)}).ok());
  clients.clear();
  EXPECT_TRUE(Eventually(
      [&] { return Close(server, {.spread = absl::Hours(24)}).ok(); }));
}

TEST(ConnectionCloserTest, LimitsTheClosesThatAreSpread) {
  TestServer server(Workers(2));
  const std::vector<TcpClient> clients = Connect(server, 2);
  for (std::size_t i = 0; i < SpreadLimit::kMost; ++i) {
    ASSERT_TRUE(Close(server, {.spread = absl::Hours(24)}).ok());
  }
  const absl::Status refused =
      Close(server, {.spread = absl::Hours(24)}).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(GetErrorDetail(refused).reason, "TOO_MANY_DRAINS");
  EXPECT_TRUE(
      Close(server, {.spread = absl::Hours(24), .validate_only = true}).ok());
  const auto closed = Close(server, {.mode = CloseMode::kReset});
  ASSERT_TRUE(closed.ok()) << closed.status();
  EXPECT_EQ(closed->count, 2);
  EXPECT_TRUE(Eventually(
      [&] { return Close(server, {.spread = absl::Hours(24)}).ok(); }));
}

TEST(ConnectionCloserTest, ListsAndClosesAtTheSameTime) {
  TestServer server(Workers(3));
  std::vector<TcpClient> clients = Connect(server, 200);
  std::atomic<int> answers{0};
  std::atomic<std::int64_t> closed{0};
  constexpr int kRounds = 50;
  for (int i = 0; i < kRounds; ++i) {
    server.control().ListConnections(
        {.order = {{.field = ConnectionField::kBytesSent, .descending = true}},
         .limit = 1000},
        Reply<ConnectionParts>([&](absl::StatusOr<ConnectionParts> parts) {
          EXPECT_TRUE(parts.ok());
          for (const ConnectionInfo& each :
               MergeParts(*std::move(parts)).connections) {
            EXPECT_NE(each.number, 0u);
          }
          ++answers;
        }));
    server.control().CloseConnections(
        {.filter = i == kRounds - 1 ? nullptr : Even(),
         .mode = CloseMode::kReset},
        Reply<ClosedConnections>([&](absl::StatusOr<ClosedConnections> part) {
          EXPECT_TRUE(part.ok());
          closed += part->count;
          ++answers;
        }));
  }
  ASSERT_TRUE(Eventually([&] { return answers == 2 * kRounds; }));
  // Each was closed once.
  EXPECT_EQ(closed, 200);
  EXPECT_EQ(Open(server), 0);
}

TEST(ConnectionCloserTest, AnswersWhatAStopCutsOff) {
  constexpr int kRequests = 300;
  std::atomic<int> unavailable{0};
  {
    TestServer server(Workers(2));
    const std::vector<TcpClient> clients = Connect(server, 2);
    server.OnMainLoop([&](EchoServer& data_plane) {
      for (int i = 0; i < kRequests; ++i) {
        data_plane.CloseConnections(
            {.filter = Even(), .validate_only = true},
            Reply<ClosedConnections>(
                [&](const absl::StatusOr<ClosedConnections>& closed) {
                  if (absl::IsUnavailable(closed.status())) ++unavailable;
                }));
      }
      data_plane.StopNow();
    });
  }
  EXPECT_EQ(unavailable, kRequests);
}

}  // namespace
}  // namespace echod
