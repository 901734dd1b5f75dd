// The data plane as a whole, through ServerControl: listings, drains,
// and everything at once.

#include "echo/echo_server.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "echo/control_error.h"
#include "echo/server_control.h"
#include "echo/test_server.h"
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

TEST(EchoServerTest, SpreadsConnectionsOverWorkers) {
  TestServer server(Workers(3));
  std::vector<TcpClient> clients;
  for (int i = 0; i < 30; ++i) {
    clients.push_back(server.Connect());
    ASSERT_TRUE(Echoes(clients.back(), "in"));
  }
  for (const Counters& worker : server.control().GetStats().workers) {
    EXPECT_EQ(worker.active, 10);
  }
}

TEST(EchoServerTest, EvensOutWhatChurnHasMadeUneven) {
  TestServer server(Workers(3));
  std::vector<TcpClient> clients;
  for (int i = 0; i < 30; ++i) clients.push_back(server.Connect());
  for (TcpClient& client : clients) ASSERT_TRUE(Echoes(client, "in"));
  // All of one worker's leave, and some of another's.
  const absl::StatusOr<ConnectionPage> page = server.List({.limit = 30});
  ASSERT_TRUE(page.ok());
  int left = 0;
  int of_second = 0;
  for (const ConnectionInfo& each : page->connections) {
    if (each.worker == 0 || (each.worker == 1 && ++of_second <= 5)) {
      ASSERT_TRUE(server.Close(each.number, CloseMode::kReset).ok());
    } else {
      ++left;
    }
  }
  ASSERT_TRUE(Eventually(
      [&] { return server.control().GetStats().total.active == left; }));
  std::vector<TcpClient> later;
  for (int i = left; i < 45; ++i) later.push_back(server.Connect());
  for (TcpClient& client : later) ASSERT_TRUE(Echoes(client, "in"));
  for (const Counters& worker : server.control().GetStats().workers) {
    EXPECT_EQ(worker.active, 15);
  }
}

TEST(EchoServerTest, ListsEveryConnectionOnceInOrder) {
  TestServer server(Workers(3));
  constexpr int kConnections = 300;
  std::vector<TcpClient> clients;
  for (int i = 0; i < kConnections; ++i) {
    clients.push_back(server.Connect());
    ASSERT_TRUE(Echoes(clients.back(), "in"));
  }
  std::vector<std::uint64_t> numbers;
  ConnectionQuery query;
  query.limit = 130;
  for (;;) {
    const absl::StatusOr<ConnectionPage> page = server.List(query);
    ASSERT_TRUE(page.ok());
    EXPECT_EQ(page->total, kConnections);
    for (const ConnectionInfo& each : page->connections) {
      numbers.push_back(each.number);
    }
    if (!page->more) break;
    ASSERT_EQ(page->connections.size(), 130u);
    query.after = page->connections.back().number;
  }
  EXPECT_EQ(numbers.size(), 300u);
  EXPECT_TRUE(std::is_sorted(numbers.begin(), numbers.end()));
  EXPECT_EQ(std::set<std::uint64_t>(numbers.begin(), numbers.end()).size(),
            300u);
}

TEST(EchoServerTest, AnUnknownConnectionIsNotFound) {
  TestServer server(Workers(2));
  const absl::Status status = server.Get(12345).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(GetErrorDetail(status).reason, "CONNECTION_NOT_FOUND");
}

TEST(EchoServerTest, ADrainGivesEverybodyWhatIsOwedAndAFin) {
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

TEST(EchoServerTest, ADrainingServerAcceptsInItsGracePeriodAndTakesNoChanges) {
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

TEST(EchoServerTest, AStoppedServerStillAnswers) {
  TestServer server;
  server.DrainAndWait({});
  EXPECT_EQ(server.control().GetServer().state, ServerInfo::State::kStopped);
  EXPECT_EQ(server.Get(1).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(server.List({}).status().code(), absl::StatusCode::kUnavailable);
}

// For ThreadSanitizer: everything at once, from several threads.
TEST(EchoServerTest, CanBeSteeredFromManyThreadsUnderLoad) {
  TestServer server(Workers(2));
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&] {
      while (!stop) {
        std::optional<TcpClient> client = TcpClient::Connect(server.address());
        if (!client.has_value()) continue;
        for (int j = 0; j < 5 && Echoes(*client, "hello"); ++j) {
        }
        client->Reset();
      }
    });
  }
  threads.emplace_back([&] {
    while (!stop) {
      const absl::StatusOr<ConnectionPage> page =
          server.List({.limit = 10, .with_tcp_info = true});
      ASSERT_TRUE(page.ok());
      for (const ConnectionInfo& each : page->connections) {
        (void)server.Close(each.number, each.number % 2 == 0
                                            ? CloseMode::kGraceful
                                            : CloseMode::kReset);
      }
    }
  });
  threads.emplace_back([&] {
    while (!stop) {
      (void)server.control().GetStats();
      (void)server.control().GetServer();
      (void)server.control().ListListeners();
    }
  });
  for (int i = 0; i < 10; ++i) {
    ListenerUpdate update = i % 2 == 0 ? MoveTo(0) : Update();
    if (i % 2 == 0) {
      UniqueFd holder;
      update.port = HeldPort(holder);
    }
    update.idle_timeout = absl::Minutes(1 + i);
    update.drain.mode = DrainPolicy::Mode::kGraceful;
    ASSERT_TRUE(server.Update(update).ok());
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace echod
