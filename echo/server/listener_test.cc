// SPDX-License-Identifier: Apache-2.0

// A listener that changes while it lives: its port, its limits, through
// ServerControl.

#include "echo/server/listener.h"

#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "echo/base/socket_address.h"
#include "echo/base/unique_fd.h"
#include "echo/control/control_error.h"
#include "echo/control/listener_control.h"
#include "echo/control/listener_settings.h"
#include "echo/control/stats.h"
#include "echo/event/event_loop.h"
#include "echo/event/timer.h"
#include "echo/net/acceptor.h"
#include "echo/server/retiring_socket.h"
#include "echo/session/listener_stats.h"
#include "echo/testing/fake_clock.h"
#include "echo/testing/test_server.h"
#include "gtest/gtest.h"
#include "tests/support/conversation.h"
#include "tests/support/eventually.h"
#include "tests/support/tcp_client.h"

namespace {

// How often a socket has begun to listen.
std::atomic<int> listens{0};

}  // namespace

// In place of the C library's, for this program.
extern "C" int listen(int fd, int backlog) noexcept {
  ++listens;
  return static_cast<int>(syscall(SYS_listen, fd, backlog));
}

namespace echod {
namespace {

using testing::Echoes;
using testing::Eventually;
using testing::TcpClient;
using End = TcpClient::End;

TEST(ListenerTest, MovesAListenerAndKeepsItsConnections) {
  TestServer server(Workers(2));
  TcpClient before = server.Connect();
  ASSERT_TRUE(Echoes(before, "one"));
  const SocketAddress old_address = server.address();
  const ListenerInfo info = *server.control().GetListener("default");

  // Some other port: the one configured is 0, and stands for the bound one.
  UniqueFd holder;
  const int port = HeldPort(holder);
  holder.Reset();
  const absl::StatusOr<ListenerInfo> moved = server.Update(MoveTo(port));
  ASSERT_TRUE(moved.ok()) << moved.status();
  EXPECT_EQ(moved->bound_port, port);
  EXPECT_EQ(moved->generation, info.generation + 1);
  EXPECT_NE(moved->etag, info.etag);
  EXPECT_EQ(moved->source, ListenerInfo::Source::kRuntime);

  EXPECT_FALSE(TcpClient::Connect(old_address).has_value());
  TcpClient after = server.Connect();
  EXPECT_TRUE(Echoes(after, "two"));
  EXPECT_TRUE(Echoes(before, "three"));
  EXPECT_EQ(server.Get(1)->listener_generation, 1);
  EXPECT_EQ(server.Get(2)->listener_generation, 2);
  // The counts are the listener's, not the socket's.
  EXPECT_EQ(server.control().GetStats().listeners.at("default").accepted, 2);
}

TEST(ListenerTest, AFailedMoveChangesNothing) {
  TestServer server;
  TcpClient client = server.Connect();
  ASSERT_TRUE(Echoes(client, "one"));
  const ListenerInfo before = *server.control().GetListener("default");
  UniqueFd holder;
  ListenerUpdate update = MoveTo(HeldPort(holder));
  update.settings.Set(&ListenerSettings::max_connections, 7);
  const absl::StatusOr<ListenerInfo> failed = server.Update(update);
  EXPECT_EQ(failed.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(GetErrorDetail(failed.status()).reason, "ADDRESS_IN_USE");

  ListenerUpdate elsewhere = Update();
  elsewhere.address = "192.0.2.1";
  EXPECT_EQ(GetErrorDetail(server.Update(elsewhere).status()).reason,
            "ADDRESS_NOT_AVAILABLE");

  const ListenerInfo after = *server.control().GetListener("default");
  EXPECT_EQ(after.etag, before.etag);
  EXPECT_EQ(after.bound_port, before.bound_port);
  EXPECT_EQ(after.settings, before.settings);
  EXPECT_TRUE(Echoes(client, "two"));
  TcpClient another = server.Connect();
  EXPECT_TRUE(Echoes(another, "three"));
}

TEST(ListenerTest, TheSameAddressAgainKeepsTheSocket) {
  TestServer server;
  const ListenerInfo before = *server.control().GetListener("default");
  EXPECT_EQ(server.Update(MoveTo(0))->generation, before.generation);
  EXPECT_EQ(server.Update(MoveTo(before.bound_port))->generation,
            before.generation);
  ListenerUpdate same = Update();
  same.address = "127.0.0.1";
  EXPECT_EQ(server.Update(same)->generation, before.generation);
}

TEST(ListenerTest, ValidateOnlyBindsAndChangesNothing) {
  TestServer server;
  const ListenerInfo before = *server.control().GetListener("default");
  UniqueFd holder;
  ListenerUpdate update = MoveTo(HeldPort(holder));
  update.validate_only = true;
  EXPECT_FALSE(server.Update(update).ok());
  holder.Reset();
  const absl::StatusOr<ListenerInfo> preview = server.Update(update);
  ASSERT_TRUE(preview.ok()) << preview.status();
  EXPECT_EQ(preview->bound_port, *update.port);
  EXPECT_EQ(preview->generation, before.generation + 1);
  const ListenerInfo after = *server.control().GetListener("default");
  EXPECT_EQ(after.bound_port, before.bound_port);
  EXPECT_EQ(after.etag, before.etag);
}

// A socket that listened, if only for a moment, would let clients in, to reset
// them.
TEST(ListenerTest, ValidateOnlyListensNowhere) {
  TestServer server;
  UniqueFd holder;
  ListenerUpdate update = MoveTo(HeldPort(holder));
  holder.Reset();
  update.validate_only = true;
  const int before = listens;
  EXPECT_TRUE(server.Update(update).ok());
  update.address = "::";
  EXPECT_TRUE(server.Update(update).ok());
  EXPECT_EQ(listens, before);

  // A port that the kernel has yet to choose is not known before.
  update.validate_only = false;
  ASSERT_TRUE(server.Update(update).ok());
  EXPECT_GT(listens, before);
  update.port = 0;
  update.validate_only = true;
  EXPECT_EQ(server.Update(update)->bound_port, 0);
}

TEST(ListenerTest, OfTwoChangesToOneEtagTheSecondIsAborted) {
  TestServer server;
  ListenerUpdate update = Update();
  update.etag = server.control().GetListener("default")->etag;
  update.settings.Set(&ListenerSettings::max_connections, 5);
  ASSERT_TRUE(server.Update(update).ok());
  update.settings.Set(&ListenerSettings::max_connections, 6);
  const absl::StatusOr<ListenerInfo> second = server.Update(update);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kAborted);
  EXPECT_EQ(GetErrorDetail(second.status()).reason, "ETAG_MISMATCH");
  EXPECT_EQ(server.control().GetListener("default")->settings.max_connections,
            5);
}

TEST(ListenerTest, NamesTheFieldThatIsWrong) {
  TestServer server;
  const auto field = [&](const ListenerUpdate& update) {
    const absl::Status status = server.Update(update).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return GetErrorDetail(status).field;
  };
  EXPECT_EQ(field(MoveTo(65536)), "port");
  EXPECT_EQ(field(MoveTo(-1)), "port");
  ListenerUpdate update = Update();
  update.address = "localhost";
  EXPECT_EQ(field(update), "address");
  update = Update();
  update.settings.Set(&ListenerSettings::max_buffered_bytes, -1);
  EXPECT_EQ(field(update), "max_buffered_bytes");
  update = Update();
  update.id = "other";
  EXPECT_EQ(server.Update(update).status().code(), absl::StatusCode::kNotFound);
}

TEST(ListenerTest, NobodyWhoWasConnectedIsLostInAMove) {
  TestServer server(Workers(2));
  std::atomic<int> port{server.address().port()};
  std::atomic<bool> stop{false};
  std::atomic<int> served{0};
  std::atomic<int> lost{0};
  std::vector<std::thread> clients;
  for (int i = 0; i < 4; ++i) {
    clients.emplace_back([&] {
      while (!stop) {
        std::optional<TcpClient> client = TcpClient::Connect(
            SocketAddress::FromHost("127.0.0.1", 0)
                ->WithPort(static_cast<std::uint16_t>(port.load())));
        if (!client.has_value()) continue;  // refused: the move came first
        ++(Echoes(*client, "here") ? served : lost);
        client->Reset();  // leaves no TIME_WAIT behind
      }
    });
  }
  for (int i = 0; i < 5; ++i) {
    UniqueFd holder;
    const int next = HeldPort(holder);
    holder.Reset();
    const int before = served;
    EXPECT_TRUE(Eventually([&] { return served >= before + 20; }));
    const absl::StatusOr<ListenerInfo> moved = server.Update(MoveTo(next));
    ASSERT_TRUE(moved.ok()) << moved.status();
    port = next;
  }
  stop = true;
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(lost, 0);
  EXPECT_GE(served, 100);
}

// A long turn of the loop: the change back and the old socket's timer come in
// the same one.
TEST(ListenerTest, APortIsTakenBackInTheTurnInWhichItsSocketHasRetired) {
  const std::unique_ptr<EventLoop> loop = *EventLoop::Create();
  FakeClock clock;
  AcceptorGroup group;
  absl::StatusOr<Listener::Plan> first = Listener::Prepare(Creation("default"));
  ASSERT_TRUE(first.ok() && Listener::OpenSocket(*first).ok());
  const auto listener = std::make_unique<Listener>(
      *loop, clock, group, Listener::Identity{.id = "default"},
      *std::move(first), std::make_shared<ListenerStats>(1),
      Listener::Callbacks{
          .has_room = [] { return true; },
          .on_accept = [](Listener&, const Listener::Accepted&) {},
          .on_accepted_all = [] {}});
  int left = 2;
  const auto move_to = [&](int port) {
    absl::StatusOr<Listener::Plan> plan = listener->Prepare(MoveTo(port));
    ASSERT_TRUE(plan.ok());
    const absl::Status opened = Listener::OpenSocket(*plan);
    ASSERT_TRUE(opened.ok()) << opened;
    listener->Apply(*std::move(plan), [&] {
      if (--left == 0) loop->Stop();
    });
  };
  const int home = listener->bound_address().port();
  Timer back(*loop, [&] {
    absl::StatusOr<Listener::Plan> plan = listener->Prepare(MoveTo(home));
    ASSERT_TRUE(plan.ok());
    EXPECT_FALSE(Listener::OpenSocket(*plan).ok());
    EXPECT_TRUE(listener->IsLeaving(
        listener->bound_address().WithPort(static_cast<std::uint16_t>(home))));
    listener->WhenRetired(home, [&] { move_to(home); });
  });
  loop->Post([&] {
    UniqueFd holder;
    const int away = HeldPort(holder);
    holder.Reset();
    back.Arm(absl::ZeroDuration());
    move_to(away);
    const absl::Time both_are_due =
        absl::Now() + 2 * RetiringSocket::kHandshakeGrace;
    while (absl::Now() < both_are_due) continue;
  });
  ASSERT_TRUE(loop->Run().ok());
  EXPECT_EQ(listener->bound_address().port(), home);
}

TEST(ListenerTest, EndsTheOldGenerationWhenAsked) {
  for (const DrainPolicy::Mode mode :
       {DrainPolicy::Mode::kGraceful, DrainPolicy::Mode::kReset}) {
    TestServer server(Workers(2));
    TcpClient first = server.Connect();
    TcpClient second = server.Connect();
    ASSERT_TRUE(Echoes(first, "one") && Echoes(second, "two"));
    UniqueFd holder;
    ListenerUpdate update = MoveTo(HeldPort(holder));
    holder.Reset();
    update.drain.mode = mode;
    ASSERT_TRUE(server.Update(update).ok());
    const End end = mode == DrainPolicy::Mode::kReset ? End::kReset : End::kEof;
    EXPECT_EQ(first.WaitForEnd(), end);
    EXPECT_EQ(second.WaitForEnd(), end);
    TcpClient third = server.Connect();
    EXPECT_TRUE(Echoes(third, "three"));
  }
}

TEST(ListenerTest, SpreadsTheEndsOfTheOldGeneration) {
  TestServer server;
  std::vector<TcpClient> clients;
  for (int i = 0; i < 4; ++i) {
    clients.push_back(server.Connect());
    ASSERT_TRUE(Echoes(clients.back(), "in"));
  }
  UniqueFd holder;
  ListenerUpdate update = MoveTo(HeldPort(holder));
  holder.Reset();
  update.drain = {.mode = DrainPolicy::Mode::kReset,
                  .spread = absl::Seconds(40)};
  ASSERT_TRUE(server.Update(update).ok());
  // The clock stands still: none has had its turn.
  for (TcpClient& client : clients) EXPECT_TRUE(Echoes(client, "still here"));
  server.clock().Advance(absl::Seconds(20));
  EXPECT_EQ(clients[0].WaitForEnd(), End::kReset);
  EXPECT_EQ(clients[1].WaitForEnd(), End::kReset);
  EXPECT_TRUE(Echoes(clients[2], "still here"));
  EXPECT_TRUE(Echoes(clients[3], "still here"));
  server.clock().Advance(absl::Seconds(20));
  EXPECT_EQ(clients[2].WaitForEnd(), End::kReset);
  EXPECT_EQ(clients[3].WaitForEnd(), End::kReset);
}

}  // namespace
}  // namespace echod
