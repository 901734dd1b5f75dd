// SPDX-License-Identifier: Apache-2.0

// Listeners that come and go under load, from several threads; also for
// ThreadSanitizer.

#include <atomic>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "echo/base/socket_address.h"
#include "echo/control/control_error.h"
#include "echo/control/listener_control.h"
#include "echo/control/listener_settings.h"
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

// Clients of a port whose listener is deleted and created again, under another
// name each time.
TEST(ListenerChurnTest, NoConnectionIsLostWhereListenersComeAndGo) {
  TestServer server(Workers(2));
  const absl::StatusOr<ListenerInfo> first = server.Create(Creation("l0"));
  ASSERT_TRUE(first.ok());
  const SocketAddress address = server.address("l0");
  std::atomic<bool> stop{false};
  std::atomic<int> served{0};
  std::atomic<int> lost{0};
  std::vector<std::thread> clients;
  for (int i = 0; i < 3; ++i) {
    clients.emplace_back([&] {
      while (!stop) {
        auto client = TcpClient::Connect(address);
        if (!client.has_value()) continue;  // refused: nothing listens
        ++(Echoes(*client, "one") && Echoes(*client, "two") ? served : lost);
        client->Reset();  // leaves no TIME_WAIT behind
      }
    });
  }
  for (int i = 0; i < 5; ++i) {
    const int before = served;
    EXPECT_TRUE(Eventually([&] { return served >= before + 20; }));
    ASSERT_TRUE(server.Delete({.id = "l" + std::to_string(i)}).ok());
    ListenerCreation next = Creation("l" + std::to_string(i + 1));
    next.port = first->bound_port;
    const absl::StatusOr<ListenerInfo> created = server.Create(next);
    ASSERT_TRUE(created.ok()) << created.status();
  }
  stop = true;
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(lost, 0);
  EXPECT_EQ(server.control().GetStats().total.lines_echoed, 2 * served);
}

TEST(ListenerChurnTest, SeveralOperatorsAtOnce) {
  TestServer server(Workers(2));
  std::atomic<bool> stop{false};
  std::atomic<int> rounds{0};
  std::vector<std::thread> threads;
  // Two that contend for each of two names.
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, id = std::string(i % 2 == 0 ? "a" : "b"), i] {
      while (!stop) {
        const absl::StatusOr<ListenerInfo> created =
            server.Create(Creation(id));
        EXPECT_TRUE(created.ok() || absl::IsAlreadyExists(created.status()))
            << created.status();
        ListenerUpdate update;
        update.id = id;
        update.settings.Set(&ListenerSettings::max_connections, 10 + i);
        (void)server.Update(update);
        ListenerDeletion deletion = {.id = id};
        deletion.drain.mode =
            i < 2 ? DrainPolicy::Mode::kReset : DrainPolicy::Mode::kGraceful;
        (void)server.Delete(deletion);
        ++rounds;
      }
    });
  }
  // Clients of whatever is there.
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&] {
      while (!stop) {
        for (const ListenerInfo& each : server.control().ListListeners()) {
          auto client =
              TcpClient::Connect(*SocketAddress::Parse(each.bound_address));
          if (!client.has_value()) continue;
          (void)Echoes(*client, "hello");
          client->Reset();
        }
      }
    });
  }
  threads.emplace_back([&] {
    while (!stop) {
      (void)server.control().GetStats();
      EXPECT_TRUE(server.List({.limit = 10}).ok());
    }
  });
  EXPECT_TRUE(Eventually([&] { return rounds >= 40; }));
  stop = true;
  for (std::thread& thread : threads) thread.join();
  TcpClient client = server.Connect();
  EXPECT_TRUE(Echoes(client, "alive"));
}

}  // namespace
}  // namespace echod
