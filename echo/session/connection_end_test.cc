// SPDX-License-Identifier: Apache-2.0

// How the server ends a connection: a graceful close, a drain, a reset. For the
// timeouts that lead there, see connection_timeout_test.cc.

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "echo/control/close_reason.h"
#include "echo/control/connection_control.h"
#include "echo/control/connection_info.h"
#include "echo/control/listener_control.h"
#include "echo/control/listener_settings.h"
#include "echo/control/reply.h"
#include "echo/control/server_control.h"
#include "echo/session/connection.h"
#include "echo/testing/test_server.h"
#include "gtest/gtest.h"
#include "tests/support/conversation.h"
#include "tests/support/eventually.h"
#include "tests/support/tcp_client.h"

namespace echod {
namespace {

using testing::Eventually;
using testing::Pattern;
using testing::TcpClient;
using End = TcpClient::End;

// Returns when the kernel of the peer of connection `number` has confirmed
// everything, a FIN included.
void WaitUntilConfirmed(TestServer& server, std::uint64_t number) {
  ASSERT_TRUE(
      Eventually([&] { return server.Get(number)->tcp_info->unacked == 0; }));
}

// Sends so much that the echo fits into the server's kernel but not into that
// of the client, which does not read. Returns what was sent.
std::string FillKernel(TestServer& server, TcpClient& client) {
  std::string bytes = Pattern(1 << 20);
  EXPECT_TRUE(client.Send(bytes));
  EXPECT_TRUE(WaitUntilReceived(server, 1, std::ssize(bytes)));
  EXPECT_EQ(server.Get(1)->bytes_buffered, 0);
  return bytes;
}

TEST(ConnectionEndTest, AGracefulCloseSendsTheWholeEchoAndAFin) {
  TestServer server(Raw());
  const std::string bytes = Pattern(64 << 20);
  TcpClient client = server.Connect({.receive_buffer = 16 << 10});
  // Part of the echo waits in echod, part in the kernel, and part of the input
  // has not been read.
  const std::size_t sent = SendUntilStuck(server, client, bytes, 1);
  const auto received = static_cast<std::size_t>(server.Get(1)->bytes_received);
  ASSERT_TRUE(server.Close(1, CloseMode::kGraceful).ok());
  End end = End::kTimeout;
  const std::string echoed = client.ReadToEnd(&end);
  EXPECT_EQ(end, End::kEof);
  EXPECT_GT(echoed.size(), received);
  EXPECT_LE(echoed.size(), sent);
  EXPECT_TRUE(echoed == bytes.substr(0, echoed.size()));
}

// Back-pressure had stopped the reading. A peer that is stuck in a write would
// never get to reading its echo.
TEST(ConnectionEndTest, AGracefulCloseReadsAPeerThatIsStuckWriting) {
  TestServer server(
      With({.mode = EchoMode::kRaw, .max_buffered_bytes = 64 << 20}));
  TcpClient client = server.Connect({.receive_buffer = 16 << 10});
  const std::string bytes = Pattern(16 << 20);
  ASSERT_TRUE(client.Send(bytes));
  ASSERT_TRUE(WaitUntilReceived(server, 1, std::ssize(bytes)));
  ListenerUpdate lower = Update();
  lower.settings.Set(&ListenerSettings::max_buffered_bytes, 1 << 20);
  ASSERT_TRUE(server.Update(lower).ok());
  ASSERT_TRUE(Eventually([&] { return server.Get(1)->reading_paused; }));
  ASSERT_TRUE(server.Close(1, CloseMode::kGraceful).ok());
  EXPECT_TRUE(client.Send(std::string(32 << 20, 'l')));  // too late
  End end = End::kTimeout;
  EXPECT_TRUE(client.ReadToEnd(&end) == bytes);
  EXPECT_EQ(end, End::kEof);
}

TEST(ConnectionEndTest, AGracefulCloseWaitsForTheEndOfALine) {
  TestServer server;
  TcpClient client = server.Connect();
  ASSERT_TRUE(client.Send("one\nhalf"));
  ASSERT_EQ(client.Read(13), "YOU SAID one\n");
  ASSERT_TRUE(WaitUntilReceived(server, 1, 8));
  ASSERT_TRUE(server.Close(1, CloseMode::kGraceful).ok());
  EXPECT_EQ(server.Get(1)->state, ConnectionInfo::State::kDraining);
  ASSERT_TRUE(client.Send(" a line\n"));
  EXPECT_EQ(client.ReadToEnd(), "YOU SAID half a line\n");
}

TEST(ConnectionEndTest, AGracefulCloseCutsOffAtItsDeadline) {
  EchoServerOptions options;
  options.drain_timeout = absl::Seconds(30);
  TestServer server(std::move(options));
  TcpClient client = server.Connect();
  ASSERT_TRUE(client.Send("half"));
  ASSERT_TRUE(WaitUntilReceived(server, 1, 4));
  ASSERT_TRUE(server.Close(1, CloseMode::kGraceful).ok());
  server.clock().Advance(absl::Seconds(31));
  EXPECT_EQ(client.WaitForEnd(), End::kReset);
  EXPECT_EQ(Closed(server, CloseReason::kDrainDeadline), 1);
  // An operator's close does not count against a later drain.
  server.DrainAndWait({});
  server.OnMainLoop(
      [](EchoServer& each) { EXPECT_TRUE(each.DrainedCleanly()); });
}

TEST(ConnectionEndTest, AfterItsFinItWaitsForThePeersNoLongerThanTheLinger) {
  TestServer server;
  TcpClient client = server.Connect();
  ASSERT_TRUE(client.Send("a\n"));
  ASSERT_EQ(client.Read(11), "YOU SAID a\n");
  ASSERT_TRUE(server.Close(1, CloseMode::kGraceful).ok());
  ASSERT_EQ(client.WaitForEnd(), End::kEof);
  ASSERT_TRUE(client.Send("late"));  // thrown away, and no reset for it
  EXPECT_EQ(server.Get(1)->state, ConnectionInfo::State::kClosing);
  WaitUntilConfirmed(server, 1);
  server.AdvanceAndTick(absl::Milliseconds(200));  // it looks
  server.AdvanceAndTick(absl::Milliseconds(2100));
  EXPECT_EQ(Closed(server, CloseReason::kAdminGraceful), 1);
  EXPECT_FALSE(server.Get(1).ok());
}

// However long delivery takes, the linger begins when it is complete.
TEST(ConnectionEndTest, TheLingerBeginsWhenThePeerHasEverything) {
  TestServer server(Raw());
  TcpClient slow = server.Connect({.receive_buffer = 16 << 10});
  FillKernel(server, slow);
  ASSERT_TRUE(server.Close(1, CloseMode::kGraceful).ok());
  ASSERT_EQ(server.Get(1)->state, ConnectionInfo::State::kClosing);
  server.AdvanceAndTick(absl::Milliseconds(1900));
  EXPECT_EQ(slow.WaitForEnd(), End::kEof);
  WaitUntilConfirmed(server, 1);
  server.AdvanceAndTick(absl::Milliseconds(200));
  EXPECT_TRUE(server.Get(1).ok());
  server.AdvanceAndTick(absl::Milliseconds(1900));
  EXPECT_TRUE(server.Get(1).ok());
  server.AdvanceAndTick(absl::Milliseconds(200));
  EXPECT_FALSE(server.Get(1).ok());
  EXPECT_EQ(Closed(server, CloseReason::kAdminGraceful), 1);
}

TEST(ConnectionEndTest, AResetDropsTheRestOfTheEcho) {
  TestServer server(Raw());
  TcpClient client = server.Connect({.receive_buffer = 16 << 10});
  const std::string owed = FillKernel(server, client);
  ASSERT_TRUE(server.Close(1, CloseMode::kReset).ok());
  End end = End::kTimeout;
  EXPECT_LT(client.ReadToEnd(&end).size(), owed.size());
  EXPECT_EQ(end, End::kReset);
  EXPECT_EQ(Closed(server, CloseReason::kAdminReset), 1);
}

// The peer reads slowly and goes on sending. If the socket were closed while
// the kernel still held echo, the reset in answer to late bytes would drop it.
TEST(ConnectionEndTest, AGracefulCloseWaitsForDelivery) {
  TestServer server(Raw());
  TcpClient slow = server.Connect({.receive_buffer = 16 << 10});
  TcpClient prompt = server.Connect();
  const std::string bytes = Pattern(64 << 20);
  const std::size_t sent = SendUntilStuck(server, slow, bytes, 1);
  const std::size_t owed =
      static_cast<std::size_t>(server.Get(1)->bytes_received);
  ASSERT_TRUE(server.Close(1, CloseMode::kGraceful).ok());
  ASSERT_TRUE(server.Close(2, CloseMode::kGraceful).ok());
  // Until the kernel has all of it, and the FIN behind it.
  std::string echoed;
  while (server.Get(1)->bytes_buffered > 0) echoed += slow.Read(64 << 10);
  const ConnectionInfo closing = *server.Get(1);
  ASSERT_EQ(closing.state, ConnectionInfo::State::kClosing);
  const auto answered = static_cast<std::size_t>(closing.bytes_sent);
  EXPECT_GE(answered, owed);
  ASSERT_LT(echoed.size(), answered);
  // Longer than a peer that has everything may take to close.
  EXPECT_EQ(prompt.WaitForEnd(), End::kEof);
  WaitUntilConfirmed(server, 2);
  for (int i = 0; i < 5; ++i) server.AdvanceAndTick(absl::Seconds(1));
  ASSERT_FALSE(server.Get(2).ok());
  ASSERT_TRUE(server.Get(1).ok());
  slow.SendSome(absl::string_view(bytes).substr(sent, 1000));
  End end = End::kTimeout;
  echoed += slow.ReadToEnd(&end);
  EXPECT_EQ(end, End::kEof);
  EXPECT_TRUE(echoed == bytes.substr(0, answered));
}

TEST(ConnectionEndTest, EchoThatIsNotReadByTheDeadlineIsCutOffAndCounted) {
  EchoServerOptions options = Raw();
  options.drain_timeout = absl::Seconds(30);
  TestServer server(std::move(options));
  TcpClient stuck = server.Connect({.receive_buffer = 16 << 10});
  SendUntilStuck(server, stuck, Pattern(64 << 20), 1);
  ASSERT_TRUE(server.Close(1, CloseMode::kGraceful).ok());
  while (server.Get(1)->bytes_buffered > 0) stuck.Read(64 << 10);
  server.clock().Advance(absl::Seconds(31));
  ASSERT_TRUE(Eventually([&] { return !server.Get(1).ok(); }));
  EXPECT_EQ(Closed(server, CloseReason::kDrainDeadline), 1);
  EXPECT_EQ(Closed(server, CloseReason::kAdminGraceful), 0);
}

// The idle timeout does not apply during a drain.
TEST(ConnectionEndTest, OnlyItsDeadlineCutsOffAnIdleConnectionInADrain) {
  EchoServerOptions options = With({.mode = EchoMode::kRaw,
                                    .idle_timeout = absl::Seconds(5),
                                    .write_stall_timeout = absl::Seconds(5)});
  options.drain_timeout = absl::Seconds(100);
  TestServer server(std::move(options));
  TcpClient stuck = server.Connect({.receive_buffer = 16 << 10});
  SendUntilStuck(server, stuck, Pattern(64 << 20), 1);
  ASSERT_TRUE(server.Close(1, CloseMode::kGraceful).ok());
  for (int i = 0; i < 3; ++i) server.AdvanceAndTick(absl::Seconds(6));
  EXPECT_TRUE(server.Get(1).ok());
  server.AdvanceAndTick(absl::Seconds(83));
  EXPECT_FALSE(server.Get(1).ok());
  EXPECT_EQ(Closed(server, CloseReason::kDrainDeadline), 1);
}

// The kernel would deliver the rest after a close, but in a container the
// network ends with the process.
TEST(ConnectionEndTest, ADrainWaitsForAHalfClosedPeerToHaveEverything) {
  TestServer server(
      With({.mode = EchoMode::kRaw, .max_buffered_bytes = 64 << 20}));
  TcpClient slow = server.Connect({.receive_buffer = 16 << 10});
  const std::string bytes = Pattern(12 << 20);
  ASSERT_TRUE(slow.Send(bytes));
  slow.FinishSending();
  ASSERT_TRUE(Eventually([&] {
    return server.Get(1)->state == ConnectionInfo::State::kRemoteHalfClosed;
  }));
  ASSERT_TRUE(server.Close(1, CloseMode::kGraceful).ok());
  // Until the kernel has accepted everything. A server that closed the socket
  // now could exit and take its network with it.
  std::string echoed;
  while (server.Get(1).ok() && server.Get(1)->bytes_buffered > 0) {
    echoed += slow.Read(64 << 10);
  }
  ASSERT_LT(echoed.size(), bytes.size());
  EXPECT_TRUE(server.Get(1).ok());
  echoed += slow.ReadToEnd();
  EXPECT_TRUE(echoed == bytes);
  for (int i = 0; i < 100 && server.Get(1).ok(); ++i) {
    server.AdvanceAndTick(absl::Milliseconds(100));
  }
  EXPECT_EQ(Closed(server, CloseReason::kPeerClosed), 1);
}

// After the peer's FIN nothing is read, so the reset has to be looked for.
TEST(ConnectionEndTest, ADrainNoticesThatAHalfClosedPeerHasDied) {
  TestServer server(
      With({.mode = EchoMode::kRaw, .max_buffered_bytes = 64 << 20}));
  TcpClient slow = server.Connect({.receive_buffer = 16 << 10});
  ASSERT_TRUE(slow.Send(Pattern(12 << 20)));
  slow.FinishSending();
  ASSERT_TRUE(Eventually([&] {
    return server.Get(1)->state == ConnectionInfo::State::kRemoteHalfClosed;
  }));
  ASSERT_TRUE(server.Close(1, CloseMode::kGraceful).ok());
  while (server.Get(1)->state != ConnectionInfo::State::kClosing) {
    slow.Read(64 << 10);
  }
  ASSERT_TRUE(TestServer::Await<ServerInfo>([&](Reply<ServerInfo> reply) {
                server.control().Drain({}, std::move(reply));
              }).ok());
  server.AdvanceAndTick(absl::Seconds(1));
  ASSERT_TRUE(server.Get(1).ok());
  slow.Reset();
  server.AdvanceAndTick(absl::Seconds(1));
  EXPECT_EQ(Closed(server, CloseReason::kPeerReset), 1);
  server.WaitUntilStopped();
  server.OnMainLoop(
      [](EchoServer& each) { EXPECT_TRUE(each.DrainedCleanly()); });
}

// A client that has sent too long a line, and reads nothing.
class TooLongTest : public ::testing::Test {
 protected:
  TooLongTest() {
    const std::string lines(1 << 20, '\n');
    EXPECT_TRUE(stuck_.Send(lines + std::string(9, 'x')));
    EXPECT_TRUE(Eventually([&] {
      return server_.Get(1)->state == ConnectionInfo::State::kClosing;
    }));
    EXPECT_GT(server_.Get(1)->bytes_buffered, 0);
  }

  TestServer server_{
      With({.max_line_bytes = 8, .max_buffered_bytes = 64 << 20})};
  TcpClient stuck_ = server_.Connect({.receive_buffer = 16 << 10});
};

TEST_F(TooLongTest, IsResetWhenItDoesNotReadItsError) {
  server_.AdvanceAndTick(absl::Seconds(9));
  EXPECT_TRUE(server_.Get(1).ok());
  server_.AdvanceAndTick(absl::Seconds(2));
  EXPECT_EQ(Closed(server_, CloseReason::kLineTooLong), 1);
}

TEST_F(TooLongTest, IsCutOffByADrainsDeadline) {
  ASSERT_TRUE(TestServer::Await<ServerInfo>([&](Reply<ServerInfo> reply) {
                server_.control().Drain({.deadline = absl::Seconds(5)},
                                        std::move(reply));
              }).ok());
  // The drain begins after the time that a handshake may take.
  while (Closed(server_, CloseReason::kDrainDeadline) == 0) {
    ASSERT_EQ(Closed(server_, CloseReason::kLineTooLong), 0);
    server_.AdvanceAndTick(absl::Seconds(1));
  }
  server_.WaitUntilStopped();
  server_.OnMainLoop(
      [](EchoServer& each) { EXPECT_FALSE(each.DrainedCleanly()); });
}

// The connection only waits for the peer's FIN.
TEST(ConnectionEndTest, AStopDoesNotCutOffAPeerThatHasEverything) {
  TestServer server;
  TcpClient client = server.Connect();
  ASSERT_TRUE(Echoes(client, "one"));
  server.OnMainLoop([](EchoServer& echo) { echo.BeginDrain({}); });
  EXPECT_EQ(client.WaitForEnd(), End::kEof);
  WaitUntilConfirmed(server, 1);
  server.OnMainLoop([](EchoServer& echo) {
    echo.StopNow();
    EXPECT_TRUE(echo.DrainedCleanly());
  });
  EXPECT_EQ(Closed(server, CloseReason::kShutdown), 0);
  EXPECT_EQ(Closed(server, CloseReason::kDrained), 1);
}

}  // namespace
}  // namespace echod
