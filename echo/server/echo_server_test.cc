// SPDX-License-Identifier: Apache-2.0

// The data plane as a whole, through the control interfaces.

#include "echo/server/echo_server.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <future>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "echo/base/descriptor_limit.h"
#include "echo/base/unique_fd.h"
#include "echo/control/connection_control.h"
#include "echo/control/connection_info.h"
#include "echo/control/control_error.h"
#include "echo/control/listener_control.h"
#include "echo/control/listener_settings.h"
#include "echo/control/reply.h"
#include "echo/control/server_control.h"
#include "echo/control/stats.h"
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

// A worker's lag is its own, and is measured while it has connections.
TEST(EchoServerTest, MeasuresHowLateALoopServes) {
  TestServer server(Workers(2));
  const auto lag = [&](std::size_t worker) {
    return server.control().GetStats().loop_lag.at(worker);
  };
  std::vector<TcpClient> clients;
  for (int i = 0; i < 2; ++i) {
    clients.push_back(server.Connect());
    ASSERT_TRUE(Echoes(clients.back(), "in"));
  }
  ASSERT_TRUE(
      Eventually([&] { return lag(0).count() > 0 && lag(1).count() > 0; }));
  // More than a loaded machine delays the other worker.
  constexpr std::chrono::seconds kStall{3};
  server.OnMainLoop([&](EchoServer&) {
    const auto end = std::chrono::steady_clock::now() + kStall;
    while (std::chrono::steady_clock::now() < end) {
    }
  });
  EXPECT_TRUE(Eventually([&] {
    return lag(0).Greatest() >
           static_cast<std::uint64_t>(std::chrono::nanoseconds(kStall).count() *
                                      9 / 10);
  }));
  EXPECT_LT(lag(1).Greatest(), lag(0).Greatest());
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

TEST(EchoServerTest, RefusesRequestsBeyondABound) {
  TestServer server;
  std::atomic<int> refused{0};
  std::atomic<int> answered{0};
  constexpr int kRequests = 5000;
  // While the loop is held up nothing is answered that has to wait.
  server.OnMainLoop([&](EchoServer& data_plane) {
    for (int i = 0; i < kRequests; ++i) {
      data_plane.GetConnection(
          7, Reply<ConnectionInfo>(
                 [&](const absl::StatusOr<ConnectionInfo>& answer) {
                   if (absl::IsResourceExhausted(answer.status())) ++refused;
                   ++answered;
                 }));
    }
    const absl::Status list =
        TestServer::Await<ConnectionParts>([&](Reply<ConnectionParts> reply) {
          data_plane.ListConnections({}, std::move(reply));
        }).status();
    EXPECT_EQ(GetErrorDetail(list).reason, "TOO_MANY_REQUESTS");
    const absl::Status update =
        TestServer::Await<ListenerInfo>([&](Reply<ListenerInfo> reply) {
          data_plane.UpdateListener(Update(), std::move(reply));
        }).status();
    EXPECT_EQ(GetErrorDetail(update).reason, "TOO_MANY_REQUESTS");
  });
  ASSERT_TRUE(Eventually([&] { return answered == kRequests; }));
  EXPECT_EQ(refused, kRequests - 4096);
  EXPECT_TRUE(server.List({}).ok());
}

TEST(EchoServerTest, AnUpdateIsAnsweredWhenEveryConnectionHasTheNewSettings) {
  RaiseDescriptorLimit();
  TestServer server(Raw());
  std::vector<TcpClient> clients;
  for (int i = 0; i < 500; ++i) clients.push_back(server.Connect());
  // The last one does not read; a lower limit stops its being read.
  TcpClient stuck = server.Connect({.receive_buffer = 4096});
  const std::string bytes(64 * 1024, 'b');
  std::int64_t sent = 0;
  ASSERT_TRUE(Eventually([&] {
    const Counters total = server.control().GetStats().total;
    if (total.bytes_received < sent) return false;
    if (total.bytes_buffered > 100'000) return true;
    sent += static_cast<std::int64_t>(stuck.SendSome(bytes));
    return false;
  }));
  ASSERT_EQ(server.control().GetStats().total.read_pauses, 0);
  ListenerUpdate update = Update();
  update.settings.Set(&ListenerSettings::max_buffered_bytes, 64 * 1024);
  // Looked at on the main loop, where the only worker is: before it goes on.
  std::promise<std::int64_t> pauses;
  server.control().UpdateListener(
      update,
      Reply<ListenerInfo>([&](const absl::StatusOr<ListenerInfo>& changed) {
        EXPECT_TRUE(changed.ok()) << changed.status();
        pauses.set_value(server.control().GetStats().total.read_pauses);
      }));
  EXPECT_EQ(pauses.get_future().get(), 1);
}

TEST(EchoServerTest, DrainsSpreadOverTimeAreFewAndEndWithTheirConnections) {
  TestServer server(Workers(2));
  TcpClient first = server.Connect();
  TcpClient second = server.Connect();
  ASSERT_TRUE(Echoes(first, "one") && Echoes(second, "two"));
  // No port twice: a move back to a port waits until that has been left.
  std::vector<int> ports;
  {
    std::vector<UniqueFd> holders(33);
    for (UniqueFd& holder : holders) ports.push_back(HeldPort(holder));
  }
  const auto drain = [&] {
    UniqueFd holder;
    ListenerUpdate update = MoveTo(HeldPort(holder));
    if (!ports.empty()) {
      update.port = ports.back();
      ports.pop_back();
    }
    update.drain = {.mode = DrainPolicy::Mode::kReset,
                    .spread = absl::Hours(24)};
    return update;
  };
  std::atomic<int> begun{0};
  for (int i = 0; i < 32; ++i) {
    server.control().UpdateListener(
        drain(),
        Reply<ListenerInfo>([&](const absl::StatusOr<ListenerInfo>& to) {
          EXPECT_TRUE(to.ok()) << to.status();
          ++begun;
        }));
  }
  EXPECT_EQ(GetErrorDetail(server.Update(drain()).status()).reason,
            "TOO_MANY_DRAINS");
  EXPECT_TRUE(Eventually([&] { return begun == 32; }));
  first.Reset();
  second.Reset();
  // The clock stands still; there is just nobody left to wait for.
  EXPECT_TRUE(Eventually([&] { return server.Update(drain()).ok(); }));
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
    update.settings.Set(&ListenerSettings::idle_timeout, absl::Minutes(1 + i));
    update.drain.mode = DrainPolicy::Mode::kGraceful;
    ASSERT_TRUE(server.Update(update).ok());
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace echod
