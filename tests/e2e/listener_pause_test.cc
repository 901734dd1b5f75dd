// SPDX-License-Identifier: Apache-2.0

// Listeners that are paused and resumed.

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

using admin::v1::Listener;
using testing::Echoes;
using testing::Eventually;
using testing::ServerProcess;
using testing::TcpClient;
using End = TcpClient::End;
using Stub = AdminClient::Stub;

class ListenerPauseTest : public ListenersTest {};

// Whether the server leaves the client's bytes alone. The admin calls come
// after the client's, and are answered by the same loop, so it has had its
// chance.
bool IsLeftWaiting(AdminClient& admin, TcpClient& client) {
  for (int i = 0; i < 10; ++i) admin.Listener();
  return admin.Stats().total().connections_active() == 0 &&
         recv(client.fd(), nullptr, 0, MSG_DONTWAIT | MSG_PEEK) < 0;
}

TEST_F(ListenerPauseTest, APausedListenerLeavesNewcomersInTheQueue) {
  Listener paused;
  ASSERT_TRUE(Pause("default", &paused).ok());
  EXPECT_EQ(paused.state(), Listener::STATE_PAUSED);
  EXPECT_EQ(admin_.Listener().state(), Listener::STATE_PAUSED);
  TcpClient client = server_.Connect();
  ASSERT_TRUE(client.Send("held\n"));
  EXPECT_TRUE(IsLeftWaiting(admin_, client));
  Listener again;
  ASSERT_TRUE(Pause("default", &again).ok());
  EXPECT_EQ(again.etag(), paused.etag()) << "nothing has changed";

  Listener resumed;
  ASSERT_TRUE(Resume("default", &resumed).ok());
  EXPECT_EQ(resumed.state(), Listener::STATE_ACTIVE);
  EXPECT_NE(resumed.etag(), paused.etag());
  EXPECT_EQ(client.Read(14), "YOU SAID held\n");
}

TEST_F(ListenerPauseTest, APauseLeavesConnectionsAlone) {
  TcpClient client = server_.Connect();
  ASSERT_TRUE(Echoes(client, "before"));
  ASSERT_TRUE(Pause("default").ok());
  EXPECT_TRUE(Echoes(client, "meanwhile"));
}

TEST_F(ListenerPauseTest, APausedListenerMovesAndStaysPaused) {
  ASSERT_TRUE(Pause("default").ok());
  TcpClient waits = server_.Connect();
  ASSERT_TRUE(waits.Send("held\n"));
  Listener moved;
  const int port = ServerProcess().echo_address().port();
  const grpc::Status status = admin_.MoveTo(port, &moved);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(moved.state(), Listener::STATE_PAUSED);
  EXPECT_EQ(waits.Read(14), "YOU SAID held\n") << "its socket has closed";
  waits.FinishSending();
  ASSERT_EQ(waits.WaitForEnd(), End::kEof);
  std::optional<TcpClient> newcomer = Connect(moved);
  ASSERT_TRUE(newcomer.has_value() && newcomer->Send("new\n"));
  EXPECT_TRUE(Eventually(
      [&] { return admin_.Stats().total().connections_active() == 0; }));
  EXPECT_TRUE(IsLeftWaiting(admin_, *newcomer));
  ASSERT_TRUE(Resume("default").ok());
  EXPECT_EQ(newcomer->Read(13), "YOU SAID new\n");
}

TEST_F(ListenerPauseTest, ADeletionServesThoseWhoWaitInThePause) {
  ASSERT_TRUE(Pause("default").ok());
  TcpClient waits = server_.Connect();
  ASSERT_TRUE(waits.Send("held\n"));
  ASSERT_TRUE(Delete(Deletion("default")).ok());
  EXPECT_EQ(waits.Read(14), "YOU SAID held\n");
}

TEST_F(ListenerPauseTest, ADrainServesThoseWhoWaitInThePause) {
  ServerProcess server;
  AdminClient admin(server);
  admin::v1::PauseListenerRequest request;
  request.set_name("listeners/default");
  Listener paused;
  ASSERT_TRUE(admin.Call(&Stub::PauseListener, request, &paused).ok());
  TcpClient waits = server.Connect();
  ASSERT_TRUE(waits.Send("held\n"));
  server.Signal(SIGTERM);
  EXPECT_EQ(waits.ReadToEnd(), "YOU SAID held\n");
  waits.FinishSending();
  EXPECT_EQ(server.WaitForExit(), 0);
}

TEST_F(ListenerPauseTest, AFailedPauseSaysWhy) {
  EXPECT_EQ(Reason(Pause("blue")), "LISTENER_NOT_FOUND");
  EXPECT_EQ(Reason(Resume("blue")), "LISTENER_NOT_FOUND");
  EXPECT_EQ(Field(Pause("")), "name");
  Listener listener;
  admin::v1::PauseListenerRequest request;
  request.set_name("listeners/default");
  request.set_validate_only(true);
  ASSERT_TRUE(admin_.Call(&Stub::PauseListener, request, &listener).ok());
  EXPECT_EQ(listener.state(), Listener::STATE_PAUSED);
  request.set_etag("stale");
  EXPECT_EQ(Reason(admin_.Call(&Stub::PauseListener, request, &listener)),
            "ETAG_MISMATCH");
  TcpClient client = server_.Connect();
  EXPECT_TRUE(Echoes(client, "nothing has paused"));
}

}  // namespace
}  // namespace echod::e2e
