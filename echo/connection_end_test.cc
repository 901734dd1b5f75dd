// How the server ends a connection, and how long it lets one live: the idle
// timeout, a graceful close, a reset.

#include <cstddef>
#include <string>
#include <thread>
#include <utility>

#include "absl/time/time.h"
#include "echo/close_reason.h"
#include "echo/connection.h"
#include "echo/server_control.h"
#include "echo/test_server.h"
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

TEST(ConnectionEndTest, ClosesAnIdleConnectionWhenItsTimeHasCome) {
  TestServer server(With({.idle_timeout = absl::Seconds(60)}));
  TcpClient idle = server.Connect();
  ASSERT_TRUE(idle.Send("a\n"));
  ASSERT_EQ(idle.Read(11), "YOU SAID a\n");
  server.clock().Advance(absl::Seconds(59));
  TcpClient busy = server.Connect();
  ASSERT_TRUE(busy.Send("b\n"));
  ASSERT_EQ(busy.Read(11), "YOU SAID b\n");
  server.clock().Advance(absl::Seconds(2));
  EXPECT_EQ(idle.WaitForEnd(), End::kEof);
  ASSERT_TRUE(busy.Send("c\n"));
  EXPECT_EQ(busy.Read(11), "YOU SAID c\n");
  EXPECT_EQ(Closed(server, CloseReason::kIdleTimeout), 1);
}

TEST(ConnectionEndTest, AnIdleTimeoutThatIsSetLaterHoldsForLivingConnections) {
  TestServer server;
  TcpClient client = server.Connect();
  ASSERT_TRUE(client.Send("a\n"));
  ASSERT_EQ(client.Read(11), "YOU SAID a\n");
  server.clock().Advance(absl::Hours(1));
  ListenerUpdate update = Update();
  update.idle_timeout = absl::Minutes(1);
  ASSERT_TRUE(server.Update(update).ok());
  EXPECT_EQ(client.WaitForEnd(), End::kEof);
}

TEST(ConnectionEndTest, AGracefulCloseGivesWhatIsOwedAndAFin) {
  TestServer server(Raw());
  const std::string sent = Pattern(2 << 20);
  TcpClient client = server.Connect({.receive_buffer = 16 << 10});
  // All of it has arrived when the server has counted it.
  std::thread writer([&] { EXPECT_TRUE(client.Send(sent)); });
  const std::string head = client.Read(1);
  ASSERT_TRUE(server.Close(1, CloseMode::kGraceful).ok());
  const std::string tail = client.ReadToEnd();
  writer.join();
  const std::string echoed = head + tail;
  EXPECT_TRUE(echoed == sent.substr(0, echoed.size()));
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
  // It was the operator's doing, and no fault of the drain that comes later.
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
  server.clock().Advance(absl::Seconds(3));
  ASSERT_TRUE(Eventually(
      [&] { return Closed(server, CloseReason::kAdminGraceful) == 1; }));
  EXPECT_FALSE(server.Get(1).ok());
}

TEST(ConnectionEndTest, AResetDropsWhatIsOwed) {
  TestServer server;
  TcpClient client = server.Connect();
  ASSERT_TRUE(client.Send("a\n"));
  ASSERT_EQ(client.Read(11), "YOU SAID a\n");
  ASSERT_TRUE(server.Close(1, CloseMode::kReset).ok());
  EXPECT_EQ(client.WaitForEnd(), End::kReset);
  EXPECT_EQ(Closed(server, CloseReason::kAdminReset), 1);
}

// Advances the clock, and returns once the worker has looked at every deadline
// that has come by then: one of them is an idle connection's.
void AdvancePastIdle(TestServer& server, absl::Duration time) {
  TcpClient idle = server.Connect();
  const std::int64_t before = Closed(server, CloseReason::kIdleTimeout);
  ASSERT_TRUE(idle.Send("\n"));
  ASSERT_EQ(idle.Read(1).size(), 1u);
  server.clock().Advance(time + absl::Seconds(1));  // deadlines are coarse
  ASSERT_TRUE(Eventually(
      [&] { return Closed(server, CloseReason::kIdleTimeout) > before; }));
}

// The kernel's buffer holds megabytes and asks for more only when a third of it
// is free; by then a slow peer has read for a long time.
TEST(ConnectionEndTest, WhoReadsSlowlyIsNotIdle) {
  constexpr absl::Duration kTimeout = absl::Seconds(10);
  TestServer server(With({.mode = EchoMode::kRaw, .idle_timeout = kTimeout}));
  TcpClient slow = server.Connect({.receive_buffer = 16 << 10});
  const std::string bytes = Pattern(256 << 20);
  const std::size_t sent = SendUntilStuck(server, slow, bytes, 1);
  std::string echoed;
  for (int i = 0; i < 3; ++i) {
    echoed += slow.Read(64 << 10);
    AdvancePastIdle(server, kTimeout);
    ASSERT_TRUE(server.Get(1).ok()) << "closed after " << i;
  }
  slow.FinishSending();
  echoed += slow.ReadToEnd();
  EXPECT_TRUE(echoed == bytes.substr(0, sent)) << echoed.size();
}

TEST(ConnectionEndTest, WhoTakesNothingIsIdleThoughMuchIsOwed) {
  constexpr absl::Duration kTimeout = absl::Seconds(10);
  TestServer server(With({.mode = EchoMode::kRaw, .idle_timeout = kTimeout}));
  TcpClient stuck = server.Connect({.receive_buffer = 16 << 10});
  SendUntilStuck(server, stuck, Pattern(256 << 20), 1);
  AdvancePastIdle(server, kTimeout);
  AdvancePastIdle(server, kTimeout);
  EXPECT_TRUE(Eventually([&] { return !server.Get(1).ok(); }));
  EXPECT_EQ(Closed(server, CloseReason::kIdleTimeout), 3);
}

TEST(ConnectionEndTest, WhoTakesNothingOfWhatWaitsIsReset) {
  constexpr absl::Duration kTimeout = absl::Seconds(10);
  TestServer server(With({.mode = EchoMode::kRaw,
                          .idle_timeout = kTimeout,
                          .write_stall_timeout = absl::Seconds(3)}));
  TcpClient stuck = server.Connect({.receive_buffer = 16 << 10});
  SendUntilStuck(server, stuck, Pattern(256 << 20), 1);
  AdvancePastIdle(server, kTimeout);
  AdvancePastIdle(server, kTimeout);
  EXPECT_TRUE(Eventually([&] { return !server.Get(1).ok(); }));
  EXPECT_EQ(Closed(server, CloseReason::kWriteStall), 1);
}

TEST(ConnectionEndTest, WhoReadsSlowlyDoesNotStall) {
  constexpr absl::Duration kTimeout = absl::Seconds(10);
  TestServer server(With({.mode = EchoMode::kRaw,
                          .idle_timeout = 2 * kTimeout,
                          .write_stall_timeout = kTimeout}));
  TcpClient slow = server.Connect({.receive_buffer = 16 << 10});
  const std::string bytes = Pattern(256 << 20);
  const std::size_t sent = SendUntilStuck(server, slow, bytes, 1);
  std::string echoed;
  for (int i = 0; i < 3; ++i) {
    echoed += slow.Read(64 << 10);
    server.clock().Advance(kTimeout / 2);
    echoed += slow.Read(64 << 10);
    server.clock().Advance(kTimeout / 2 + absl::Seconds(1));
    ASSERT_TRUE(server.Get(1).ok()) << "reset after " << i;
  }
  slow.FinishSending();
  echoed += slow.ReadToEnd();
  EXPECT_TRUE(echoed == bytes.substr(0, sent)) << echoed.size();
}

TEST(ConnectionEndTest, AnIdlePeerDoesNotStall) {
  TestServer server(With({.mode = EchoMode::kRaw,
                          .max_connection_age = absl::Hours(1),
                          .write_stall_timeout = absl::Seconds(1)}));
  TcpClient client = server.Connect();
  ASSERT_TRUE(client.Send("a"));
  ASSERT_EQ(client.Read(1), "a");
  server.clock().Advance(absl::Minutes(1));
  ASSERT_TRUE(client.Send("b"));
  EXPECT_EQ(client.Read(1), "b");
}

TEST(ConnectionEndTest, AtItsAgeItIsClosedWithWhatItIsOwed) {
  TestServer server(With({.max_connection_age = absl::Minutes(1)}));
  TcpClient old = server.Connect();
  ASSERT_TRUE(old.Send("half"));
  ASSERT_TRUE(WaitUntilReceived(server, 1, 4));
  server.clock().Advance(absl::Seconds(62));
  ASSERT_TRUE(Eventually([&] {
    return server.Get(1)->state == ConnectionInfo::State::kDraining;
  }));
  TcpClient young = server.Connect();
  ASSERT_TRUE(old.Send(" a line\n"));
  EXPECT_EQ(old.ReadToEnd(), "YOU SAID half a line\n");
  old.FinishSending();
  EXPECT_TRUE(
      Eventually([&] { return Closed(server, CloseReason::kMaxAge) == 1; }));
  ASSERT_TRUE(young.Send("y\n"));
  EXPECT_EQ(young.Read(11), "YOU SAID y\n");
}

TEST(ConnectionEndTest, WhoDoesNotEndAfterItsAgeIsCutOff) {
  TestServer server(With({.max_connection_age = absl::Minutes(1)}));
  TcpClient client = server.Connect();
  ASSERT_TRUE(client.Send("half"));
  ASSERT_TRUE(WaitUntilReceived(server, 1, 4));
  server.clock().Advance(absl::Seconds(62));
  ASSERT_TRUE(Eventually([&] {
    return server.Get(1)->state == ConnectionInfo::State::kDraining;
  }));
  server.clock().Advance(absl::Seconds(32));
  EXPECT_EQ(client.WaitForEnd(), End::kReset);
  EXPECT_EQ(Closed(server, CloseReason::kDrainDeadline), 1);
}

// A peer that reads slowly and goes on sending: closed while the kernel still
// has bytes for it, it would lose them to the reset that answers its own.
TEST(ConnectionEndTest, AGracefulCloseWaitsUntilThePeerHasWhatTheKernelHas) {
  TestServer server(Raw());
  TcpClient slow = server.Connect({.receive_buffer = 16 << 10});
  TcpClient prompt = server.Connect();
  const std::string bytes = Pattern(256 << 20);
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
  server.clock().Advance(absl::Seconds(5));
  ASSERT_TRUE(Eventually([&] { return !server.Get(2).ok(); }));
  ASSERT_TRUE(server.Get(1).ok());
  slow.SendSome(absl::string_view(bytes).substr(sent, 1000));
  End end = End::kTimeout;
  echoed += slow.ReadToEnd(&end);
  EXPECT_EQ(end, End::kEof);
  EXPECT_TRUE(echoed == bytes.substr(0, answered));
}

TEST(ConnectionEndTest, WhatIsNotTakenByTheDeadlineIsCutOffAndCounted) {
  EchoServerOptions options = Raw();
  options.drain_timeout = absl::Seconds(30);
  TestServer server(std::move(options));
  TcpClient stuck = server.Connect({.receive_buffer = 16 << 10});
  SendUntilStuck(server, stuck, Pattern(256 << 20), 1);
  ASSERT_TRUE(server.Close(1, CloseMode::kGraceful).ok());
  while (server.Get(1)->bytes_buffered > 0) stuck.Read(64 << 10);
  server.clock().Advance(absl::Seconds(31));
  ASSERT_TRUE(Eventually([&] { return !server.Get(1).ok(); }));
  EXPECT_EQ(Closed(server, CloseReason::kDrainDeadline), 1);
  EXPECT_EQ(Closed(server, CloseReason::kAdminGraceful), 0);
}

// Though it is idle as well: what it is owed is the drain's to answer for.
TEST(ConnectionEndTest, WhoIsIdleInADrainIsCutOffByItsDeadlineAlone) {
  EchoServerOptions options = With({.mode = EchoMode::kRaw,
                                    .idle_timeout = absl::Seconds(5),
                                    .write_stall_timeout = absl::Seconds(5)});
  options.drain_timeout = absl::Seconds(100);
  TestServer server(std::move(options));
  TcpClient stuck = server.Connect({.receive_buffer = 16 << 10});
  SendUntilStuck(server, stuck, Pattern(256 << 20), 1);
  ASSERT_TRUE(server.Close(1, CloseMode::kGraceful).ok());
  for (int i = 0; i < 3; ++i) AdvancePastIdle(server, absl::Seconds(5));
  EXPECT_TRUE(server.Get(1).ok());
  server.clock().Advance(absl::Seconds(100));
  EXPECT_TRUE(Eventually([&] { return !server.Get(1).ok(); }));
  EXPECT_EQ(Closed(server, CloseReason::kDrainDeadline), 1);
}

// Half-closed, it could be left to the kernel, but for networks that end with
// the process.
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
  // Until the kernel has all of it. A server that let go of it now could end,
  // and take its network with it.
  std::string echoed;
  while (server.Get(1).ok() && server.Get(1)->bytes_buffered > 0) {
    echoed += slow.Read(64 << 10);
  }
  ASSERT_LT(echoed.size(), bytes.size());
  EXPECT_TRUE(server.Get(1).ok());
  echoed += slow.ReadToEnd();
  EXPECT_TRUE(echoed == bytes);
  EXPECT_TRUE(Eventually([&] {
    server.clock().Advance(absl::Milliseconds(100));
    return !server.Get(1).ok();
  }));
  EXPECT_EQ(Closed(server, CloseReason::kPeerClosed), 1);
}

}  // namespace
}  // namespace echod
