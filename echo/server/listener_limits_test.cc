// SPDX-License-Identifier: Apache-2.0

// What a listener does with connections beyond its limits.

#include <utility>

#include "echo/base/socket_address.h"
#include "echo/control/listener_control.h"
#include "echo/control/listener_settings.h"
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

TEST(ListenerLimitsTest, ResetsConnectionsBeyondTheLimitOfAnAddress) {
  TestServer server(Workers(2));
  TcpClient first = server.Connect();
  TcpClient second = server.Connect();
  ASSERT_TRUE(Echoes(first, "one") && Echoes(second, "two"));
  // Those that are there count when the limit comes.
  ListenerUpdate update = Update();
  update.settings.Set(&ListenerSettings::max_connections_per_address, 2);
  ASSERT_TRUE(server.Update(update).ok());
  TcpClient third = server.Connect();
  EXPECT_EQ(third.WaitForEnd(), End::kReset);
  const Counters total = server.control().GetStats().total;
  EXPECT_EQ(total.rejected_max_connections_per_address, 1);
  EXPECT_EQ(total.rejected_max_connections, 0);
  // Another address of this host has its own count.
  TcpClient other = *TcpClient::Connect(
      server.address(), {.source = *SocketAddress::Parse("127.0.0.2:0")});
  EXPECT_TRUE(Echoes(other, "from elsewhere"));
  second.FinishSending();
  EXPECT_EQ(second.WaitForEnd(), End::kEof);
  ASSERT_TRUE(Eventually([&] {
    return server.control().GetListener("default")->active_connections == 2;
  }));
  TcpClient fourth = server.Connect();
  EXPECT_TRUE(Echoes(fourth, "four"));
}

TEST(ListenerLimitsTest, ResetsConnectionsBeyondTheLimitInTotal) {
  EchoServerOptions options;
  options.max_total_connections = 1;
  TestServer server(std::move(options));
  TcpClient first = server.Connect();
  ASSERT_TRUE(Echoes(first, "one"));
  TcpClient second = server.Connect();
  EXPECT_EQ(second.WaitForEnd(), End::kReset);
  EXPECT_EQ(server.control().GetStats().total.rejected_max_total_connections,
            1);
  EXPECT_TRUE(Echoes(first, "still here"));
}

TEST(ListenerLimitsTest, ResetsConnectionsBeyondTheLimit) {
  TestServer server(With({.max_connections = 2}));
  TcpClient first = server.Connect();
  TcpClient second = server.Connect();
  ASSERT_TRUE(Echoes(first, "one") && Echoes(second, "two"));
  TcpClient third = server.Connect();
  EXPECT_EQ(third.WaitForEnd(), End::kReset);
  EXPECT_EQ(server.control().GetStats().total.rejected_max_connections, 1);
  EXPECT_TRUE(Echoes(first, "still here"));
  // A place that is given up can be taken.
  second.FinishSending();
  EXPECT_EQ(second.WaitForEnd(), End::kEof);
  ASSERT_TRUE(Eventually([&] {
    return server.control().GetListener("default")->active_connections == 1;
  }));
  TcpClient fourth = server.Connect();
  EXPECT_TRUE(Echoes(fourth, "four"));
}

}  // namespace
}  // namespace echod
