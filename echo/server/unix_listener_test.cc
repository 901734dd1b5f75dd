// SPDX-License-Identifier: Apache-2.0

// Listeners on Unix sockets, and on sockets that another process keeps.

#include <unistd.h>

#include <filesystem>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "echo/base/socket_address.h"
#include "echo/base/unique_fd.h"
#include "echo/control/control_error.h"
#include "echo/control/listener_control.h"
#include "echo/control/stats.h"
#include "echo/net/listen_socket.h"
#include "echo/server/echo_server.h"
#include "echo/testing/test_server.h"
#include "gtest/gtest.h"
#include "tests/support/conversation.h"
#include "tests/support/eventually.h"
#include "tests/support/short_folder.h"
#include "tests/support/tcp_client.h"

namespace echod {
namespace {

namespace fs = std::filesystem;
using testing::Echoes;
using testing::Eventually;
using testing::TcpClient;

class UnixListenerTest : public ::testing::Test {
 protected:
  UnixListenerTest() {
    creation_ = Creation("local");
    creation_.address = "unix:" + path_;
  }

  const testing::ShortFolder folder_;
  const std::string path_ = folder_.At("s");
  ListenerCreation creation_;
};

TEST_F(UnixListenerTest, WorkersServeItUntilItIsDeleted) {
  TestServer server(Workers(2));
  const absl::StatusOr<ListenerInfo> created = server.Create(creation_);
  ASSERT_TRUE(created.ok()) << created.status();
  EXPECT_EQ(created->bound_address, "unix:" + path_);
  std::optional<TcpClient> one = TcpClient::ConnectTo(path_);
  std::optional<TcpClient> other = TcpClient::ConnectTo(path_);
  ASSERT_TRUE(one.has_value() && Echoes(*one, "one"));
  ASSERT_TRUE(other.has_value() && Echoes(*other, "other"));
  const absl::StatusOr<ListenerInfo> deleted = server.Delete({.id = "local"});
  ASSERT_TRUE(deleted.ok()) << deleted.status();
  EXPECT_FALSE(fs::exists(path_));
  EXPECT_TRUE(Echoes(*one, "lives on"));
}

// The bytes in the peer's queue are the peer's, read or not: the connection
// does not wait for it.
TEST_F(UnixListenerTest, AnEndNeedsNoReader) {
  TestServer server;
  ASSERT_TRUE(server.Create(creation_).ok());
  std::optional<TcpClient> client = TcpClient::ConnectTo(path_);
  ASSERT_TRUE(client.has_value() && client->Send("unread\n"));
  client->FinishSending();
  EXPECT_TRUE(Eventually([&] {
    const Stats stats = server.control().GetStats();
    return stats.total.accepted == 1 && stats.total.active == 0;
  }));
  EXPECT_EQ(client->ReadToEnd(), "YOU SAID unread\n");
}

TEST_F(UnixListenerTest, AMoveAcceptsThoseWhoWait) {
  TestServer server;
  ASSERT_TRUE(server.Create(creation_).ok());
  ASSERT_TRUE(server.Pause({.id = "local", .paused = true}).ok());
  std::optional<TcpClient> waits = TcpClient::ConnectTo(path_);
  ASSERT_TRUE(waits.has_value() && waits->Send("held\n"));
  ListenerUpdate update;
  update.id = "local";
  update.address = creation_.address + "2";
  const absl::StatusOr<ListenerInfo> moved = server.Update(update);
  ASSERT_TRUE(moved.ok()) << moved.status();
  EXPECT_EQ(waits->Read(14), "YOU SAID held\n");
  EXPECT_FALSE(fs::exists(path_));
  EXPECT_TRUE(fs::exists(path_ + "2"));
  // Back at once: its path is free.
  update.address = creation_.address;
  EXPECT_TRUE(server.Update(update).ok());
}

TEST_F(UnixListenerTest, APathHasNoPort) {
  TestServer server;
  creation_.port = 7;
  EXPECT_EQ(GetErrorDetail(server.Create(creation_).status()).field, "port");
  creation_.port = 0;
  ASSERT_TRUE(server.Create(creation_).ok());
  ListenerUpdate update;
  update.id = "local";
  update.port = 0;
  EXPECT_EQ(GetErrorDetail(server.Update(update).status()).field, "port");
  update.address = "127.0.0.1";
  update.port.reset();
  EXPECT_EQ(GetErrorDetail(server.Update(update).status()).field, "port");
}

TEST(InheritedListenerTest, LeavesItsQueueToTheNextServer) {
  // `held` stays open, as in a parent.
  const ListenSocket held =
      *OpenListenSocket(*SocketAddress::Parse("127.0.0.1:0"), 16);
  const auto options = [&] {
    EchoServerOptions one;
    one.listeners = {Creation("default")};
    one.inherited.emplace("default",
                          *AdoptListenSocket(UniqueFd(dup(held.fd.get()))));
    return one;
  };
  std::optional<TcpClient> waits;
  {
    TestServer server(options());
    EXPECT_EQ(server.address(), held.address.ip());
    EXPECT_EQ(GetErrorDetail(server.Delete({.id = "default"}).status()).reason,
              "SOCKET_INHERITED");
    ASSERT_TRUE(server.Pause({.id = "default", .paused = true}).ok());
    waits = TcpClient::Connect(held.address.ip());
    ASSERT_TRUE(waits.has_value() && waits->Send("held\n"));
    server.DrainAndWait({});
    EXPECT_EQ(server.control().GetStats().total.accepted, 0);
  }
  TestServer next(options());
  EXPECT_EQ(waits->Read(14), "YOU SAID held\n");
}

}  // namespace
}  // namespace echod
