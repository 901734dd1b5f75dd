// SPDX-License-Identifier: Apache-2.0

// Port changes under load.

#include <atomic>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/e2e/admin_client.h"
#include "tests/support/conversation.h"
#include "tests/support/eventually.h"
#include "tests/support/server_process.h"
#include "tests/support/tcp_client.h"

namespace echod::e2e {
namespace {

using testing::Echoes;
using testing::Eventually;
using testing::ServerProcess;
using testing::TcpClient;
using End = TcpClient::End;
using Stub = AdminClient::Stub;

// A port that was free recently: it belonged to a server that has exited.
int FreePort() { return ServerProcess().echo_address().port(); }

SocketAddress Loopback(int port) {
  return *SocketAddress::FromHost("127.0.0.1",
                                  static_cast<std::uint16_t>(port));
}

// Connections that stream and verify bytes until stopped.
class Load {
 public:
  Load(const ServerProcess& server, int connections, int threads) {
    for (int i = 0; i < threads; ++i) {
      threads_.emplace_back([this, &server, share = connections / threads] {
        std::vector<TcpClient> clients;
        for (int j = 0; j < share; ++j) clients.push_back(server.Connect());
        std::uint64_t round = 0;
        while (!stop_) {
          const std::string line = absl::StrCat("line ", round++);
          for (TcpClient& client : clients) {
            if (!client.Send(line + "\n")) ++failures_;
          }
          const std::string wanted = "YOU SAID " + line + "\n";
          for (TcpClient& client : clients) {
            if (client.Read(wanted.size()) != wanted) ++failures_;
          }
          ++rounds_;
        }
        for (TcpClient& client : clients) {
          client.FinishSending();
          if (client.WaitForEnd() != End::kEof) ++failures_;
        }
      });
    }
  }
  ~Load() { Stop(); }

  // Returns the number of failures.
  int Stop() {
    stop_ = true;
    for (std::thread& thread : threads_) {
      if (thread.joinable()) thread.join();
    }
    return failures_;
  }

  void WaitForRounds(int more) const {
    const int target = rounds_ + more;
    ASSERT_TRUE(Eventually([&] { return rounds_ >= target; }));
  }

 private:
  std::atomic<bool> stop_{false};
  std::atomic<int> failures_{0};
  std::atomic<int> rounds_{0};
  std::vector<std::thread> threads_;
};

TEST(PortChangeTest, LosesNothingOfTwoHundredStreams) {
  const ServerProcess server;
  AdminClient admin(server);
  Load load(server, 200, 4);
  load.WaitForRounds(8);
  for (int i = 0; i < 3; ++i) {
    const SocketAddress old_address = server.echo_address();
    admin::v1::Listener moved;
    const grpc::Status status = admin.MoveTo(FreePort(), &moved);
    ASSERT_TRUE(status.ok()) << status.error_message();
    EXPECT_EQ(moved.generation(), i + 2);
    EXPECT_FALSE(TcpClient::Connect(old_address).has_value());
    TcpClient client = *TcpClient::Connect(Loopback(moved.bound_port()));
    EXPECT_TRUE(Echoes(client, "on the new port"));
    EXPECT_EQ(server.echo_address().port(), moved.bound_port())
        << "the port file follows";
    load.WaitForRounds(8);
  }
  // All of them, after the clients above have left.
  EXPECT_TRUE(Eventually(
      [&] { return admin.Stats().total().connections_active() == 200; }));
  EXPECT_EQ(load.Stop(), 0);
  const auto closed = admin.Stats().total().connections_closed_total();
  EXPECT_EQ(closed.at("peer_reset"), 0);
}

TEST(PortChangeTest, AFailedChangeChangesNothing) {
  const ServerProcess server;
  const ServerProcess other;
  AdminClient admin(server);
  Load load(server, 50, 2);
  load.WaitForRounds(4);
  const admin::v1::Listener before = admin.Listener();
  const grpc::Status taken = admin.MoveTo(other.echo_address().port());
  EXPECT_EQ(taken.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(Reason(taken), "ADDRESS_IN_USE");

  admin::v1::UpdateListenerRequest request;
  request.mutable_listener()->set_name("listeners/default");
  request.mutable_listener()->set_address("192.0.2.1");
  admin::v1::Listener ignored;
  const grpc::Status foreign =
      admin.Call(&Stub::UpdateListener, request, &ignored);
  EXPECT_EQ(Reason(foreign), "ADDRESS_NOT_AVAILABLE");

  const admin::v1::Listener after = admin.Listener();
  EXPECT_EQ(after.etag(), before.etag());
  EXPECT_EQ(after.bound_port(), before.bound_port());
  EXPECT_EQ(after.generation(), before.generation());
  TcpClient client = server.Connect();
  EXPECT_TRUE(Echoes(client, "the old port still serves"));
  load.WaitForRounds(4);
  EXPECT_EQ(load.Stop(), 0);
}

TEST(PortChangeTest, TheSameAddressAgainIsNoChange) {
  const ServerProcess server;
  AdminClient admin(server);
  const admin::v1::Listener before = admin.Listener();
  admin::v1::Listener after;
  ASSERT_TRUE(admin.MoveTo(before.bound_port(), &after).ok());
  EXPECT_EQ(after.generation(), before.generation());
  EXPECT_EQ(after.bound_port(), before.bound_port());
}

TEST(PortChangeTest, OfTwoWhoRaceOnOneEtagExactlyOneWins) {
  const ServerProcess server;
  AdminClient admin(server);
  admin::v1::UpdateListenerRequest request;
  request.mutable_listener()->set_name("listeners/default");
  request.mutable_listener()->set_etag(admin.Listener().etag());
  std::atomic<int> won{0};
  std::atomic<int> aborted{0};
  std::vector<std::thread> racers;
  for (int i = 0; i < 4; ++i) {
    racers.emplace_back([&, i] {
      admin::v1::UpdateListenerRequest mine = request;
      mine.mutable_listener()->set_max_connections(1000 + i);
      admin::v1::Listener listener;
      const grpc::Status status =
          admin.Call(&Stub::UpdateListener, mine, &listener);
      if (status.ok()) ++won;
      if (Reason(status) == "ETAG_MISMATCH") ++aborted;
    });
  }
  for (std::thread& racer : racers) racer.join();
  EXPECT_EQ(won, 1);
  EXPECT_EQ(aborted, 3);
}

// Without descriptors, some clients wait in the old socket's accept queue. The
// change waits for them and loses none.
TEST(PortChangeTest, LeavesNobodyInTheOldQueueWhenDescriptorsHaveRunOut) {
  const ServerProcess server(
      {.flags = {"--workers=1"}, .descriptor_limit = 64});
  std::vector<TcpClient> clients;
  for (int i = 0; i < 60; ++i) clients.push_back(server.Connect());
  AdminClient admin(server);
  ASSERT_TRUE(Eventually(
      [&] { return admin.Stats().total().accept_errors_total() > 0; }));
  const auto active =
      static_cast<std::size_t>(admin.Stats().total().connections_active());
  ASSERT_LT(active, clients.size());
  const int port = FreePort();
  std::thread change([&] {
    const grpc::Status status = admin.MoveTo(port);
    EXPECT_TRUE(status.ok()) << status.error_message();
  });
  EXPECT_TRUE(Eventually([&] { return admin.Listener().generation() == 2; }));
  // Accepted clients leave after they were served, and make room.
  for (std::size_t i = 0; i < clients.size(); ++i) {
    EXPECT_TRUE(Echoes(clients[i], absl::StrCat("client ", i)));
    clients[i].FinishSending();
    EXPECT_EQ(clients[i].WaitForEnd(), End::kEof);
  }
  change.join();
  EXPECT_EQ(admin.Stats().total().connections_accepted_total(), 60);
}

TEST(PortChangeTest, EndsThoseWhoCameLateToTheOldSocketToo) {
  const ServerProcess server(
      {.flags = {"--workers=1"}, .descriptor_limit = 64});
  std::vector<TcpClient> clients;
  for (int i = 0; i < 60; ++i) clients.push_back(server.Connect());
  AdminClient admin(server);
  ASSERT_TRUE(Eventually(
      [&] { return admin.Stats().total().accept_errors_total() > 0; }));
  admin::v1::UpdateListenerRequest request;
  request.mutable_listener()->set_name("listeners/default");
  request.mutable_listener()->set_port(FreePort());
  request.mutable_drain()->set_mode(admin::v1::DrainPolicy::MODE_RESET);
  admin::v1::Listener listener;
  ASSERT_TRUE(admin.Call(&Stub::UpdateListener, request, &listener).ok());
  // Queued clients were accepted when the first left, and were drained, too.
  for (TcpClient& client : clients) EXPECT_EQ(client.WaitForEnd(), End::kReset);
  EXPECT_EQ(admin.Stats().total().connections_active(), 0);
}

TEST(PortChangeTest, SettingsChangeInPlace) {
  const ServerProcess server;
  AdminClient admin(server);
  TcpClient client = server.Connect();
  ASSERT_TRUE(Echoes(client, "a rather long line"));
  admin::v1::UpdateListenerRequest request;
  request.mutable_listener()->set_name("listeners/default");
  request.mutable_listener()->set_max_line_bytes(4);
  admin::v1::Listener changed;
  ASSERT_TRUE(admin.Call(&Stub::UpdateListener, request, &changed).ok());
  EXPECT_EQ(changed.max_line_bytes(), 4);
  EXPECT_EQ(changed.generation(), 1);
  ASSERT_TRUE(client.Send("12345\n"));
  EXPECT_EQ(client.ReadToEnd(), "ERROR line exceeds 4 bytes\n");

  // The mode applies to new connections.
  TcpClient before = server.Connect();
  ASSERT_TRUE(Echoes(before, "1"));
  request.mutable_listener()->clear_max_line_bytes();
  request.mutable_listener()->set_mode(admin::v1::Listener::MODE_RAW);
  ASSERT_TRUE(admin.Call(&Stub::UpdateListener, request, &changed).ok());
  EXPECT_TRUE(Echoes(before, "2"));
  TcpClient after = server.Connect();
  ASSERT_TRUE(after.Send("raw"));
  EXPECT_EQ(after.Read(3), "raw");
}

TEST(PortChangeTest, NamesTheFieldOfABadRequest) {
  const ServerProcess server;
  AdminClient admin(server);
  const auto field = [&](const admin::v1::UpdateListenerRequest& request) {
    admin::v1::Listener listener;
    const grpc::Status status =
        admin.Call(&Stub::UpdateListener, request, &listener);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    EXPECT_EQ(Reason(status), "INVALID_FIELD");
    return Field(status);
  };
  admin::v1::UpdateListenerRequest request;
  EXPECT_EQ(field(request), "listener.name");
  request.mutable_listener()->set_name("listeners/default");
  request.mutable_listener()->set_port(65536);
  EXPECT_EQ(field(request), "listener.port");
  request.mutable_update_mask()->add_paths("bound_port");
  EXPECT_EQ(field(request), "update_mask");
}

}  // namespace
}  // namespace echod::e2e
