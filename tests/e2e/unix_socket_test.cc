// SPDX-License-Identifier: Apache-2.0

// Listeners on Unix sockets.

#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/e2e/admin_client.h"
#include "tests/support/conversation.h"
#include "tests/support/server_process.h"
#include "tests/support/short_folder.h"
#include "tests/support/tcp_client.h"

namespace echod::e2e {
namespace {

namespace fs = std::filesystem;
using admin::v1::Listener;
using testing::Echoes;
using testing::ServerProcess;
using testing::TcpClient;
using End = TcpClient::End;
using Stub = AdminClient::Stub;

class UnixSocketTest : public ::testing::Test {
 protected:
  // The flags of a server with a Unix socket named `blue` beside its port.
  std::vector<std::string> Flags() const {
    return {absl::StrCat("--listen=127.0.0.1:0,blue=", address_)};
  }

  static grpc::Status Update(AdminClient& admin, const Listener& listener,
                             Listener* updated) {
    admin::v1::UpdateListenerRequest request;
    *request.mutable_listener() = listener;
    return admin.Call(&Stub::UpdateListener, request, updated);
  }

  static Listener Get(AdminClient& admin, const std::string& id) {
    admin::v1::GetListenerRequest request;
    request.set_name("listeners/" + id);
    Listener listener;
    EXPECT_TRUE(admin.Call(&Stub::GetListener, request, &listener).ok());
    return listener;
  }

  const testing::ShortFolder folder_;
  const std::string path_ = folder_.At("s");
  const std::string address_ = "unix:" + path_;
};

TEST_F(UnixSocketTest, EchoesAndShowsWhoIsThere) {
  const ServerProcess server(Flags());
  AdminClient admin(server);
  std::optional<TcpClient> client = TcpClient::ConnectTo(path_);
  ASSERT_TRUE(client.has_value());
  ASSERT_TRUE(Echoes(*client, "over a path"));
  const Listener listener = Get(admin, "blue");
  EXPECT_EQ(listener.address(), address_);
  EXPECT_FALSE(listener.has_port());
  EXPECT_EQ(listener.bound_port(), 0);

  admin::v1::ListConnectionsRequest request;
  request.set_view(admin::v1::CONNECTION_VIEW_FULL);
  admin::v1::ListConnectionsResponse list;
  ASSERT_TRUE(admin.Call(&Stub::ListConnections, request, &list).ok());
  ASSERT_EQ(list.connections_size(), 1);
  const admin::v1::Connection& connection = list.connections(0);
  EXPECT_EQ(connection.listener(), "listeners/blue");
  EXPECT_EQ(connection.remote_address(), "unix:");
  EXPECT_EQ(connection.peer_credentials().pid(), getpid());
  EXPECT_EQ(connection.peer_credentials().uid(), getuid());
  EXPECT_EQ(connection.peer_credentials().gid(), getgid());
  EXPECT_FALSE(connection.has_tcp_info());
}

TEST_F(UnixSocketTest, ADrainFlushesAndRemovesTheFile) {
  ServerProcess server(Flags());
  std::optional<TcpClient> client = TcpClient::ConnectTo(path_);
  ASSERT_TRUE(client.has_value());
  ASSERT_TRUE(Echoes(*client, "first"));
  ASSERT_TRUE(client->Send("last\n"));
  server.Signal(SIGTERM);
  EXPECT_EQ(client->ReadToEnd(), "YOU SAID last\n");
  client->FinishSending();
  EXPECT_EQ(server.WaitForExit(), 0);
  EXPECT_FALSE(fs::exists(path_));
}

TEST_F(UnixSocketTest, AFileThatAKilledServerLeftIsReplaced) {
  { const ServerProcess killed(Flags()); }
  ASSERT_TRUE(fs::exists(path_));
  const ServerProcess server(Flags());
  std::optional<TcpClient> client = TcpClient::ConnectTo(path_);
  ASSERT_TRUE(client.has_value());
  EXPECT_TRUE(Echoes(*client, "again"));

  const testing::Finished second = testing::RunEchod(
      {"--listen=" + address_, "--admin_address=127.0.0.1:0"});
  EXPECT_EQ(second.exit_status, 2);
  EXPECT_NE(second.err.find("a socket is bound to it"), std::string::npos)
      << second.err;
  EXPECT_TRUE(Echoes(*client, "the first goes on"));
  EXPECT_TRUE(TcpClient::ConnectTo(path_).has_value());
}

TEST_F(UnixSocketTest, AListenerMovesBetweenPortAndPath) {
  const ServerProcess server;
  AdminClient admin(server);
  TcpClient over_tcp = server.Connect();
  ASSERT_TRUE(Echoes(over_tcp, "before"));
  Listener wanted;
  wanted.set_name("listeners/default");
  wanted.set_address(address_);
  Listener moved;
  grpc::Status status = Update(admin, wanted, &moved);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(moved.address(), address_);
  EXPECT_EQ(moved.generation(), 2);
  EXPECT_TRUE(Echoes(over_tcp, "survives"));
  std::optional<TcpClient> over_path = TcpClient::ConnectTo(path_);
  ASSERT_TRUE(over_path.has_value() && Echoes(*over_path, "here"));
  ASSERT_TRUE(Update(admin, wanted, &moved).ok());
  EXPECT_EQ(moved.generation(), 2) << "the same path is no move";

  wanted.set_port(0);
  EXPECT_EQ(Field(Update(admin, wanted, &moved)), "listener.port");
  wanted.clear_port();
  wanted.set_address("127.0.0.1");
  EXPECT_EQ(Field(Update(admin, wanted, &moved)), "listener.port");
  wanted.set_address("unix:relative");
  EXPECT_EQ(Field(Update(admin, wanted, &moved)), "listener.address");
  wanted.set_address("127.0.0.1");
  wanted.set_port(0);
  status = Update(admin, wanted, &moved);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_GT(moved.bound_port(), 0);
  EXPECT_FALSE(fs::exists(path_));
  EXPECT_TRUE(Echoes(*over_path, "survives, too"));
}

TEST_F(UnixSocketTest, CreationsAndDeletions) {
  const ServerProcess server;
  AdminClient admin(server);
  admin::v1::CreateListenerRequest creation;
  creation.set_listener_id("blue");
  creation.mutable_listener()->set_address(address_);
  creation.set_validate_only(true);
  Listener created;
  ASSERT_TRUE(admin.Call(&Stub::CreateListener, creation, &created).ok());
  EXPECT_FALSE(fs::exists(path_));
  creation.set_validate_only(false);
  creation.mutable_listener()->set_port(0);
  EXPECT_EQ(Field(admin.Call(&Stub::CreateListener, creation, &created)),
            "listener.port");
  creation.mutable_listener()->clear_port();
  creation.mutable_listener()->set_max_connections_per_address(1);
  ASSERT_TRUE(admin.Call(&Stub::CreateListener, creation, &created).ok());
  std::optional<TcpClient> client = TcpClient::ConnectTo(path_);
  ASSERT_TRUE(client.has_value() && Echoes(*client, "the first of this user"));
  std::optional<TcpClient> another = TcpClient::ConnectTo(path_);
  ASSERT_TRUE(another.has_value());
  EXPECT_NE(another->WaitForEnd(), End::kTimeout) << "one for each user";

  creation.set_listener_id("green");
  for (const bool validate_only : {true, false}) {
    creation.set_validate_only(validate_only);
    EXPECT_EQ(Reason(admin.Call(&Stub::CreateListener, creation, &created)),
              "ADDRESS_IN_USE");
  }
  creation.mutable_listener()->set_address(address_ + "/below");
  EXPECT_EQ(Reason(admin.Call(&Stub::CreateListener, creation, &created)),
            "ADDRESS_NOT_AVAILABLE");

  admin::v1::DeleteListenerRequest deletion;
  deletion.set_name("listeners/blue");
  Listener deleted;
  ASSERT_TRUE(admin.Call(&Stub::DeleteListener, deletion, &deleted).ok());
  EXPECT_FALSE(fs::exists(path_));
  EXPECT_TRUE(Echoes(*client, "lives on"));
}

}  // namespace
}  // namespace echod::e2e
