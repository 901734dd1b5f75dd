// SPDX-License-Identifier: Apache-2.0

// What becomes of a listener's connections, counters and name when it is
// deleted.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <future>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "echo/base/socket_address.h"
#include "echo/control/close_reason.h"
#include "echo/control/connection_control.h"
#include "echo/control/connection_info.h"
#include "echo/control/control_error.h"
#include "echo/control/listener_control.h"
#include "echo/control/listener_settings.h"
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
using Mode = DrainPolicy::Mode;

std::string Reason(const absl::Status& status) {
  return GetErrorDetail(status).reason;
}

ListenerCreation RawCreation(const std::string& id) {
  ListenerCreation creation = Creation(id);
  creation.settings.mode = EchoMode::kRaw;
  return creation;
}

bool EchoesRaw(TcpClient& client, const std::string& bytes) {
  return client.Send(bytes) && client.Read(bytes.size()) == bytes;
}

TEST(ListenerDeletionTest, ItsPortRefusesAndItsConnectionsLiveOn) {
  TestServer server(Workers(2));
  ASSERT_TRUE(server.Create(RawCreation("other")).ok());
  const SocketAddress address = server.address("other");
  TcpClient first = server.ConnectTo("other");
  TcpClient second = server.ConnectTo("other");
  ASSERT_TRUE(EchoesRaw(first, "one") && EchoesRaw(second, "two"));

  const absl::StatusOr<ListenerInfo> deleted = server.Delete({.id = "other"});
  ASSERT_TRUE(deleted.ok()) << deleted.status();
  EXPECT_EQ(deleted->state, ListenerInfo::State::kDraining);
  EXPECT_EQ(deleted->active_connections, 2);
  EXPECT_FALSE(TcpClient::Connect(address).has_value());
  EXPECT_EQ(Reason(server.control().GetListener("other").status()),
            "LISTENER_NOT_FOUND");
  EXPECT_EQ(Reason(server.Delete({.id = "other"}).status()),
            "LISTENER_NOT_FOUND");
  EXPECT_TRUE(EchoesRaw(first, "still raw") && EchoesRaw(second, "here"));
  EXPECT_EQ(server.Get(1)->listener_id, "other");
  TcpClient third = server.Connect();
  EXPECT_TRUE(Echoes(third, "the other listener accepts"));
}

TEST(ListenerDeletionTest, AnotherOfItsNameIsAnother) {
  TestServer server(Workers(2));
  const absl::StatusOr<ListenerInfo> first = server.Create(Creation("a"));
  ASSERT_TRUE(first.ok());
  TcpClient old = server.ConnectTo("a");
  ASSERT_TRUE(Echoes(old, "in"));
  ASSERT_TRUE(server.Delete({.id = "a"}).ok());

  ListenerCreation again = Creation("a");
  again.port = first->bound_port;
  const absl::StatusOr<ListenerInfo> second = server.Create(again);
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_NE(second->etag, first->etag);
  // While connections of the first live, the generation tells them apart.
  EXPECT_EQ(second->generation, 2);
  TcpClient young = server.ConnectTo("a");
  ASSERT_TRUE(Echoes(young, "in"));
  EXPECT_EQ(server.control().GetStats().listeners.at("a").accepted, 1);

  // Settings and drains of the one are not the other's.
  ListenerUpdate update;
  update.id = "a";
  update.settings.Set(&ListenerSettings::max_line_bytes, 10);
  ASSERT_TRUE(server.Update(update).ok());
  ASSERT_TRUE(young.Send("a line of more bytes\n"));
  EXPECT_EQ(young.WaitForEnd(), End::kEof);
  EXPECT_TRUE(Echoes(old, "a line of more bytes"));
  ASSERT_TRUE(server.Delete({.id = "a", .drain = {.mode = Mode::kReset}}).ok());
  EXPECT_TRUE(Echoes(old, "still here"));
  EXPECT_EQ(server.control().GetStats().total.accepted, 2);
}

// What a deleted listener measured still counts for its workers and the server,
// while its connections live and when they have gone.
TEST(ListenerDeletionTest, HistogramsOutliveTheirListener) {
  TestServer server(Workers(2));
  ASSERT_TRUE(server.Create(Creation("a")).ok());
  // An echo arrives before it has been counted.
  const auto counted = [&](std::uint64_t echoes) {
    return Eventually([&] {
      return server.control().GetStats().total.echo_latency.count() == echoes;
    });
  };
  {
    TcpClient client = server.ConnectTo("a");
    ASSERT_TRUE(Echoes(client, "one"));
    EXPECT_TRUE(counted(1));
    ASSERT_TRUE(server.Delete({.id = "a"}).ok());
    EXPECT_TRUE(counted(1));
    ASSERT_TRUE(Echoes(client, "two"));
    EXPECT_TRUE(counted(2));
  }
  EXPECT_TRUE(Eventually([&] {
    return server.control().GetStats().total.connection_duration.count() == 1;
  }));
  ASSERT_TRUE(server.Create(Creation("a")).ok());
  const Stats stats = server.control().GetStats();
  EXPECT_EQ(stats.listeners.at("a").echo_latency.count(), 0u);
  EXPECT_EQ(stats.total.echo_latency.count(), 2u);
  std::uint64_t of_workers = 0;
  for (const Counters& worker : stats.workers) {
    of_workers += worker.echo_latency.count();
  }
  EXPECT_EQ(of_workers, 2u);
}

// Sockets are on their way to a worker while their listener is deleted and
// another of its name is created.
TEST(ListenerDeletionTest, SocketsOnTheirWayBelongToTheListenerThatAccepted) {
  TestServer server(Workers(2));
  std::vector<TcpClient> first;
  for (int i = 0; i < 2; ++i) {
    first.push_back(server.Connect());
    ASSERT_TRUE(Echoes(first.back(), "in"));
  }
  ASSERT_TRUE(server.Create(Creation("a")).ok());
  // Hold the second worker up in an answer.
  const absl::StatusOr<ConnectionPage> page = server.List({});
  ASSERT_TRUE(page.ok());
  std::uint64_t number = 0;
  for (const ConnectionInfo& each : page->connections) {
    if (each.worker == 1) number = each.number;
  }
  std::promise<void> held_up;
  std::promise<void> go_on;
  server.control().GetConnection(
      number, Reply<ConnectionInfo>([&](const absl::StatusOr<ConnectionInfo>&) {
        held_up.set_value();
        go_on.get_future().wait();
      }));
  held_up.get_future().wait();

  std::vector<TcpClient> old;
  for (int i = 0; i < 6; ++i) old.push_back(server.ConnectTo("a"));
  ASSERT_TRUE(server.Delete({.id = "a"}).ok());
  ASSERT_TRUE(server.Create(RawCreation("a")).ok());
  std::vector<TcpClient> young;
  for (int i = 0; i < 4; ++i) young.push_back(server.ConnectTo("a"));
  EXPECT_TRUE(Eventually([&] {
    return server.control().GetListener("a")->active_connections == 4;
  }));
  EXPECT_LT(server.control().GetStats().workers[1].accepted, 2);
  go_on.set_value();

  for (TcpClient& client : old) EXPECT_TRUE(Echoes(client, "line"));
  for (TcpClient& client : young) EXPECT_TRUE(EchoesRaw(client, "raw"));
  const Stats stats = server.control().GetStats();
  EXPECT_EQ(stats.listeners.at("a").accepted, 4);
  EXPECT_EQ(stats.listeners.at("a").lines_echoed, 0);
  EXPECT_EQ(stats.total.accepted, 12);
  EXPECT_GE(stats.workers[1].accepted, 5);
}

TEST(ListenerDeletionTest, ItsConnectionsEndAsTheDrainPolicySays) {
  for (const Mode mode : {Mode::kGraceful, Mode::kReset}) {
    TestServer server(Workers(2));
    ASSERT_TRUE(server.Create(Creation("other")).ok());
    TcpClient bystander = server.Connect();
    ASSERT_TRUE(Echoes(bystander, "in"));
    std::vector<TcpClient> clients;
    for (int i = 0; i < 4; ++i) {
      clients.push_back(server.ConnectTo("other"));
      ASSERT_TRUE(Echoes(clients.back(), "in"));
    }
    ASSERT_TRUE(server.Delete({.id = "other", .drain = {.mode = mode}}).ok());
    for (TcpClient& client : clients) {
      EXPECT_EQ(client.WaitForEnd(),
                mode == Mode::kReset ? End::kReset : End::kEof);
    }
    EXPECT_TRUE(Echoes(bystander, "still here"));
  }
}

TEST(ListenerDeletionTest, AGracefulDrainHasItsTimeout) {
  TestServer server;
  ASSERT_TRUE(server.Create(Creation("other")).ok());
  TcpClient client = server.ConnectTo("other");
  ASSERT_TRUE(Echoes(client, "in") && client.Send("half a line"));
  ASSERT_TRUE(WaitUntilReceived(server, 1, 3 + 11));
  ASSERT_TRUE(server
                  .Delete({.id = "other",
                           .drain = {.mode = Mode::kGraceful,
                                     .timeout = absl::Seconds(5)}})
                  .ok());
  server.AdvanceAndTick(absl::Seconds(4));
  EXPECT_EQ(Closed(server, CloseReason::kDrainDeadline), 0);
  server.clock().Advance(absl::Seconds(2));
  EXPECT_EQ(client.WaitForEnd(), End::kReset);
  EXPECT_EQ(Closed(server, CloseReason::kDrainDeadline), 1);
}

TEST(ListenerDeletionTest, ADrainIsSpreadOverTime) {
  TestServer server;
  ASSERT_TRUE(server.Create(Creation("other")).ok());
  std::vector<TcpClient> clients;
  for (int i = 0; i < 4; ++i) {
    clients.push_back(server.ConnectTo("other"));
    ASSERT_TRUE(Echoes(clients.back(), "in"));
  }
  // Answered before the drain is over.
  ASSERT_TRUE(server
                  .Delete({.id = "other",
                           .drain = {.mode = Mode::kReset,
                                     .spread = absl::Seconds(40)}})
                  .ok());
  for (TcpClient& client : clients) EXPECT_TRUE(Echoes(client, "still here"));
  server.clock().Advance(absl::Seconds(20));
  EXPECT_EQ(clients[0].WaitForEnd(), End::kReset);
  EXPECT_EQ(clients[1].WaitForEnd(), End::kReset);
  EXPECT_TRUE(Echoes(clients[3], "still here"));
  server.clock().Advance(absl::Seconds(20));
  EXPECT_EQ(clients[2].WaitForEnd(), End::kReset);
  EXPECT_EQ(clients[3].WaitForEnd(), End::kReset);
}

// Changes that come while the port still accepts.
TEST(ListenerDeletionTest, WhileItIsBeingDeletedItsNameIsTaken) {
  TestServer server;
  ASSERT_TRUE(server.Create(Creation("a")).ok());
  std::promise<absl::StatusOr<ListenerInfo>> deleted;
  std::vector<std::string> reasons;
  std::promise<void> refused;
  const auto note = [&](const absl::StatusOr<ListenerInfo>& answer) {
    reasons.push_back(Reason(answer.status()));
    if (reasons.size() == 3) refused.set_value();
  };
  // All in one turn, long before the sockets have retired.
  server.OnMainLoop([&](EchoServer& data_plane) {
    data_plane.DeleteListener(
        {.id = "a"},
        Reply<ListenerInfo>([&](absl::StatusOr<ListenerInfo> answer) {
          deleted.set_value(std::move(answer));
        }));
    data_plane.CreateListener(Creation("a"), Reply<ListenerInfo>(note));
    ListenerUpdate update;
    update.id = "a";
    data_plane.UpdateListener(update, Reply<ListenerInfo>(note));
    data_plane.DeleteListener({.id = "a"}, Reply<ListenerInfo>(note));
  });
  refused.get_future().wait();
  EXPECT_EQ(reasons,
            std::vector<std::string>(
                {"LISTENER_EXISTS", "LISTENER_DELETING", "LISTENER_DELETING"}));
  EXPECT_TRUE(deleted.get_future().get().ok());
  EXPECT_TRUE(server.Create(Creation("a")).ok());
}

TEST(ListenerDeletionTest, ADrainOfTheServerEndsWhatADeletionHasLeft) {
  bool clean = false;
  TestServer server(Workers(2));
  ASSERT_TRUE(server.Create(Creation("a")).ok());
  ASSERT_TRUE(server.Create(Creation("b")).ok());
  std::vector<TcpClient> clients;
  for (const char* const id : {"a", "a", "b", "default"}) {
    clients.push_back(server.ConnectTo(id));
    ASSERT_TRUE(Echoes(clients.back(), "in"));
  }
  ASSERT_TRUE(server.Delete({.id = "a"}).ok());
  std::thread drain([&] { server.DrainAndWait({}); });
  for (TcpClient& client : clients) {
    EXPECT_EQ(client.WaitForEnd(), End::kEof);
    client.FinishSending();
  }
  drain.join();
  server.OnMainLoop(
      [&](EchoServer& data_plane) { clean = data_plane.DrainedCleanly(); });
  EXPECT_TRUE(clean);
  Counters expected;
  expected.closed[static_cast<std::size_t>(CloseReason::kDrained)] = 4;
  EXPECT_EQ(server.control().GetStats().total.closed, expected.closed);
}

// Deletes the listener "a", and calls `then` on the main loop when that has
// begun, long before it ends. For servers of one worker.
void DeleteAndThen(TestServer& server,
                   std::promise<absl::StatusOr<ListenerInfo>>& deleted,
                   const std::function<void(EchoServer&)>& then) {
  std::promise<void> done;
  server.OnMainLoop([&](EchoServer& data_plane) {
    data_plane.DeleteListener(
        {.id = "a"},
        Reply<ListenerInfo>([&deleted](absl::StatusOr<ListenerInfo> answer) {
          deleted.set_value(std::move(answer));
        }));
    // The next thing that the loop does for operators.
    data_plane.GetConnection(
        0, Reply<ConnectionInfo>([&](const absl::StatusOr<ConnectionInfo>&) {
          then(data_plane);
          done.set_value();
        }));
  });
  done.get_future().wait();
}

TEST(ListenerDeletionTest, ADrainThatComesDuringADeletionWaitsForIt) {
  TestServer server;
  ASSERT_TRUE(server.Create(Creation("a")).ok());
  const SocketAddress address = server.address("a");
  std::vector<TcpClient> clients;
  std::promise<absl::StatusOr<ListenerInfo>> deleted;
  DeleteAndThen(server, deleted, [&](EchoServer& data_plane) {
    EXPECT_EQ(data_plane.GetListener("a")->state,
              ListenerInfo::State::kDraining);
    EXPECT_TRUE(data_plane.BeginDrain({}));
  });
  EXPECT_EQ(Reason(server.Create(Creation("b")).status()), "SERVER_DRAINING");
  EXPECT_TRUE(deleted.get_future().get().ok());
  server.WaitUntilStopped();
  EXPECT_FALSE(TcpClient::Connect(address).has_value());
}

TEST(ListenerDeletionTest, AStopAnswersDeletionsThatItCutsOff) {
  std::promise<absl::StatusOr<ListenerInfo>> deleted;
  {
    TestServer server;
    ASSERT_TRUE(server.Create(Creation("a")).ok());
    DeleteAndThen(server, deleted,
                  [](EchoServer& data_plane) { data_plane.StopNow(); });
  }
  EXPECT_TRUE(absl::IsUnavailable(deleted.get_future().get().status()));
}

// Clients whose handshake is complete, and which the server has not accepted.
TEST(ListenerDeletionTest, ConnectionsInTheQueueAreAcceptedAndDrained) {
  TestServer server(Workers(2));
  ASSERT_TRUE(server.Create(Creation("a")).ok());
  const SocketAddress address = server.address("a");
  std::vector<TcpClient> clients;
  std::promise<absl::StatusOr<ListenerInfo>> deleted;
  server.OnMainLoop([&](EchoServer& data_plane) {
    for (int i = 0; i < 300; ++i) {
      clients.push_back(*TcpClient::Connect(address));
    }
    data_plane.DeleteListener(
        {.id = "a", .drain = {.mode = Mode::kGraceful}},
        Reply<ListenerInfo>([&deleted](absl::StatusOr<ListenerInfo> answer) {
          deleted.set_value(std::move(answer));
        }));
  });
  EXPECT_TRUE(deleted.get_future().get().ok());
  // Those who send something soon get their echo.
  for (std::size_t i = 0; i < clients.size(); i += 2) {
    EXPECT_TRUE(Echoes(clients[i], "first"));
  }
  server.clock().Advance(absl::Seconds(2));
  for (TcpClient& client : clients) {
    EXPECT_EQ(client.WaitForEnd(), End::kEof);
    client.FinishSending();
  }
  EXPECT_EQ(server.control().GetStats().total.accepted, 300);
}

}  // namespace
}  // namespace echod
