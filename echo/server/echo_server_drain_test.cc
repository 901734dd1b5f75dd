// SPDX-License-Identifier: Apache-2.0

// How the data plane ends.

#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "echo/control/close_reason.h"
#include "echo/control/control_error.h"
#include "echo/control/listener_control.h"
#include "echo/control/reply.h"
#include "echo/control/server_control.h"
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
using End = TcpClient::End;

TEST(EchoServerDrainTest, ADrainGivesEverybodyWhatIsOwedAndAFin) {
  TestServer server(Workers(2));
  std::vector<TcpClient> clients;
  for (int i = 0; i < 20; ++i) {
    clients.push_back(server.Connect());
    ASSERT_TRUE(Echoes(clients.back(), "in"));
    ASSERT_TRUE(clients.back().Send("last"));
  }
  ASSERT_TRUE(Eventually([&] {
    return server.control().GetStats().total.bytes_received == 20 * (3 + 4);
  }));
  std::thread drain([&] { server.DrainAndWait({}); });
  EXPECT_TRUE(Eventually([&] {
    return server.control().GetListener("default")->state ==
           ListenerInfo::State::kDraining;
  }));
  EXPECT_EQ(server.control().GetServer().state, ServerInfo::State::kDraining);
  for (TcpClient& client : clients) {
    ASSERT_TRUE(client.Send(" words\n"));
    End end = End::kTimeout;
    EXPECT_EQ(client.ReadToEnd(&end), "YOU SAID last words\n");
    EXPECT_EQ(end, End::kEof);
    client.FinishSending();
  }
  drain.join();
  const Stats stats = server.control().GetStats();
  EXPECT_EQ(stats.total.active, 0);
  EXPECT_EQ(stats.total.closed[static_cast<std::size_t>(CloseReason::kDrained)],
            20);
}

TEST(EchoServerDrainTest,
     ADrainingServerAcceptsInItsGracePeriodAndTakesNoChanges) {
  TestServer server;
  const absl::StatusOr<ServerInfo> begun =
      TestServer::Await<ServerInfo>([&](Reply<ServerInfo> reply) {
        server.control().Drain({.grace_period = absl::Hours(1)},
                               std::move(reply));
      });
  ASSERT_TRUE(begun.ok());
  EXPECT_EQ(begun->state, ServerInfo::State::kDraining);
  TcpClient client = server.Connect();
  EXPECT_TRUE(Echoes(client, "in time"));
  EXPECT_EQ(GetErrorDetail(server.Update(MoveTo(0)).status()).reason,
            "SERVER_DRAINING");
  const absl::StatusOr<ServerInfo> again =
      TestServer::Await<ServerInfo>([&](Reply<ServerInfo> reply) {
        server.control().Drain({}, std::move(reply));
      });
  EXPECT_EQ(GetErrorDetail(again.status()).reason, "SERVER_DRAINING");
}

// A process that was stopped in the grace period has the drain's whole time
// after that, and whoever bounds it has to know.
TEST(EchoServerDrainTest,
     TellsAnewHowLongADrainLastsWhenConnectionsBeginToEnd) {
  std::vector<absl::Duration> told;
  EchoServerOptions options;
  options.drain_grace_period = absl::Milliseconds(1);
  options.drain_timeout = absl::Seconds(1000);
  options.on_draining = [&told](absl::Duration longest) {
    told.push_back(longest);
  };
  TestServer server(std::move(options));
  server.DrainAndWait({});
  ASSERT_EQ(told.size(), 2u);
  EXPECT_GT(told[1], absl::Seconds(1000));
  EXPECT_LT(told[1], told[0]);
}

TEST(EchoServerDrainTest, AStoppedServerStillAnswers) {
  TestServer server;
  server.DrainAndWait({});
  EXPECT_EQ(server.control().GetServer().state, ServerInfo::State::kStopped);
  EXPECT_EQ(server.Get(1).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(server.List({}).status().code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace echod
