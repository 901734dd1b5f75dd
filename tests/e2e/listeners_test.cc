// SPDX-License-Identifier: Apache-2.0

// Listeners that are created and deleted while the server runs.

#include <sys/socket.h>

#include <atomic>
#include <csignal>
#include <cstdint>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "echo/base/socket_address.h"
#include "gtest/gtest.h"
#include "tests/e2e/admin_client.h"
#include "tests/e2e/listeners_fixture.h"
#include "tests/support/conversation.h"
#include "tests/support/eventually.h"
#include "tests/support/server_process.h"
#include "tests/support/tcp_client.h"

namespace echod::e2e {
namespace {

using admin::v1::CreateListenerRequest;
using admin::v1::DeleteListenerRequest;
using admin::v1::DrainPolicy;
using admin::v1::Listener;
using testing::Echoes;
using testing::Eventually;
using testing::ServerProcess;
using testing::TcpClient;
using End = TcpClient::End;
using Stub = AdminClient::Stub;

using Strings = std::vector<std::string>;

TEST_F(ListenersTest, ACreatedListenerAcceptsWithItsSettings) {
  CreateListenerRequest request = Creation("blue");
  request.mutable_listener()->set_mode(Listener::MODE_RAW);
  request.mutable_listener()->set_max_connections(1);
  Listener created;
  const grpc::Status status = Create(request, &created);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(created.name(), "listeners/blue");
  EXPECT_GT(created.bound_port(), 0);
  EXPECT_EQ(created.state(), Listener::STATE_ACTIVE);
  EXPECT_EQ(created.source(), Listener::SOURCE_RUNTIME);
  EXPECT_EQ(created.generation(), 1);

  std::optional<TcpClient> client = Connect(created);
  ASSERT_TRUE(client.has_value());
  ASSERT_TRUE(client->Send("raw"));
  EXPECT_EQ(client->Read(3), "raw");
  std::optional<TcpClient> another = Connect(created);
  ASSERT_TRUE(another.has_value());
  EXPECT_EQ(another->WaitForEnd(), End::kReset);

  EXPECT_EQ(Names(), (Strings{"listeners/blue", "listeners/default"}));
  EXPECT_EQ(server_.echo_address("blue").port(), created.bound_port())
      << "the port file names it";
  const admin::v1::Stats stats = admin_.Stats();
  EXPECT_EQ(stats.listeners().at("listeners/blue").bytes_received_total(), 3);
  TcpClient other = server_.Connect();
  EXPECT_TRUE(Echoes(other, "the first goes on"));
}

TEST_F(ListenersTest, AFailedCreationSaysWhy) {
  CreateListenerRequest request = Creation("default");
  grpc::Status status = Create(request);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::ALREADY_EXISTS);
  EXPECT_EQ(Reason(status), "LISTENER_EXISTS");
  EXPECT_EQ(Field(status), "listener_id");

  for (const char* id : {"", "Blue", "1st", "a-", "a/b"}) {
    status = Create(Creation(id));
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << id;
    EXPECT_EQ(Field(status), "listener_id");
  }
  request = Creation("blue");
  request.mutable_listener()->set_address("nowhere");
  EXPECT_EQ(Field(Create(request)), "listener.address");
  request = Creation("blue", 70'000);
  EXPECT_EQ(Field(Create(request)), "listener.port");
  request = Creation("blue");
  request.mutable_listener()->set_max_connections(-1);
  EXPECT_EQ(Field(Create(request)), "listener.max_connections");
  request.clear_listener();
  EXPECT_EQ(Field(Create(request)), "listener.address");

  status = Create(Creation("blue", server_.echo_address().port()));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(Reason(status), "ADDRESS_IN_USE");
  EXPECT_EQ(Names(), Strings{"listeners/default"});
}

TEST_F(ListenersTest, ValidateOnlyCreatesAndDeletesNothing) {
  CreateListenerRequest creation = Creation("blue");
  creation.set_validate_only(true);
  Listener preview;
  ASSERT_TRUE(Create(creation, &preview).ok());
  EXPECT_EQ(preview.name(), "listeners/blue");
  EXPECT_EQ(preview.bound_port(), 0);
  EXPECT_EQ(Names(), Strings{"listeners/default"});
  creation = Creation("blue", server_.echo_address().port());
  creation.set_validate_only(true);
  EXPECT_EQ(Reason(Create(creation)), "ADDRESS_IN_USE");

  DeleteListenerRequest deletion = Deletion("default");
  deletion.set_validate_only(true);
  ASSERT_TRUE(Delete(deletion).ok());
  TcpClient client = server_.Connect();
  EXPECT_TRUE(Echoes(client, "still here"));
}

TEST_F(ListenersTest, ADeletedListenerRefusesAndItsConnectionsLiveOn) {
  Listener created;
  ASSERT_TRUE(Create(Creation("blue"), &created).ok());
  std::optional<TcpClient> client = Connect(created);
  ASSERT_TRUE(client.has_value() && Echoes(*client, "before"));
  DeleteListenerRequest request = Deletion("blue");
  request.set_etag(created.etag());
  Listener deleted;
  ASSERT_TRUE(Delete(request, &deleted).ok());
  EXPECT_EQ(deleted.state(), Listener::STATE_DRAINING);
  EXPECT_EQ(deleted.active_connections(), 1);
  EXPECT_FALSE(Connect(created).has_value());
  EXPECT_EQ(Names(), Strings{"listeners/default"});
  EXPECT_TRUE(Echoes(*client, "after"));
  EXPECT_EQ(admin_.Stats().total().connections_active(), 1);

  // Its name and its port are free.
  ASSERT_TRUE(Create(Creation("blue", created.bound_port()), &created).ok());
  EXPECT_EQ(created.generation(), 2);
  EXPECT_TRUE(Echoes(*client, "still"));
}

TEST_F(ListenersTest, ADeletionEndsConnectionsAsItIsTold) {
  for (const auto mode :
       {DrainPolicy::MODE_GRACEFUL, DrainPolicy::MODE_RESET}) {
    Listener created;
    ASSERT_TRUE(Create(Creation("blue"), &created).ok());
    std::optional<TcpClient> client = Connect(created);
    ASSERT_TRUE(client.has_value() && Echoes(*client, "before"));
    DeleteListenerRequest request = Deletion("blue");
    request.mutable_drain()->set_mode(mode);
    ASSERT_TRUE(Delete(request).ok());
    EXPECT_EQ(client->WaitForEnd(),
              mode == DrainPolicy::MODE_RESET ? End::kReset : End::kEof);
  }
}

TEST_F(ListenersTest, AFailedDeletionSaysWhy) {
  grpc::Status status = Delete(Deletion("blue"));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(Reason(status), "LISTENER_NOT_FOUND");
  DeleteListenerRequest request;
  request.set_name("default");
  EXPECT_EQ(Field(Delete(request)), "name");
  request = Deletion("default");
  request.set_etag("stale");
  status = Delete(request);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::ABORTED);
  EXPECT_EQ(Reason(status), "ETAG_MISMATCH");
  request = Deletion("default");
  request.mutable_drain()->mutable_spread()->set_seconds(90'000);
  EXPECT_EQ(Field(Delete(request)), "drain.spread");
  TcpClient client = server_.Connect();
  EXPECT_TRUE(Echoes(client, "nothing was deleted"));
}

TEST_F(ListenersTest, ADrainingServerChangesNothing) {
  admin::v1::DrainServerRequest drain;
  drain.mutable_grace_period()->set_seconds(3600);
  admin::v1::Server draining;
  ASSERT_TRUE(admin_.Call(&Stub::DrainServer, drain, &draining).ok());
  EXPECT_EQ(Reason(Create(Creation("blue"))), "SERVER_DRAINING");
  EXPECT_EQ(Reason(Delete(Deletion("default"))), "SERVER_DRAINING");
  EXPECT_EQ(Reason(Pause("default")), "SERVER_DRAINING");
}

TEST_F(ListenersTest, ADrainComesBetweenCreations) {
  ServerProcess server({"--drain_grace_period=0", "--workers=2"});
  constexpr int kThreads = 3;
  std::vector<std::thread> threads;
  std::atomic<int> created{0};
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      AdminClient admin(server);
      for (int i = 0; i < 40; ++i) {
        Listener listener;
        const grpc::Status status =
            admin.Call(&Stub::CreateListener,
                       Creation(absl::StrCat("n", thread, "-", i)), &listener);
        if (!status.ok()) {
          // The admin plane ends with the server.
          EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE)
              << status.error_message();
          return;
        }
        ++created;
      }
    });
  }
  AdminClient admin(server);
  admin::v1::Server draining;
  EXPECT_TRUE(Eventually([&] { return created > 5; }));
  EXPECT_TRUE(
      admin.Call(&Stub::DrainServer, admin::v1::DrainServerRequest(), &draining)
          .ok());
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(server.WaitForExit(), 0);
}

// Of several at once each gets an answer that fits what there is.
TEST_F(ListenersTest, CreationsAndDeletionsOfOneNameRace) {
  constexpr int kThreads = 4;
  constexpr int kRounds = 15;
  std::vector<int> alive(kThreads, 0);  // creations less deletions
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      AdminClient admin(server_);
      for (int round = 0; round < kRounds; ++round) {
        Listener listener;
        if ((thread + round) % 2 == 0) {
          const grpc::Status status =
              admin.Call(&Stub::CreateListener, Creation("blue"), &listener);
          if (status.ok()) {
            ++alive[thread];
          } else {
            EXPECT_EQ(Reason(status), "LISTENER_EXISTS");
          }
        } else {
          const grpc::Status status =
              admin.Call(&Stub::DeleteListener, Deletion("blue"), &listener);
          if (status.ok()) {
            --alive[thread];
          } else if (Reason(status) != "LISTENER_DELETING") {
            EXPECT_EQ(Reason(status), "LISTENER_NOT_FOUND");
          }
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  int left = 0;
  for (const int each : alive) left += each;
  EXPECT_EQ(Names().size(), 1u + static_cast<unsigned>(left));
}

}  // namespace
}  // namespace echod::e2e
