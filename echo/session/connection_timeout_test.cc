// SPDX-License-Identifier: Apache-2.0

// The timeouts that end a connection: idle, write stall, maximum age. And when
// they must not, since the delay is not the client's.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "echo/base/descriptor_limit.h"
#include "echo/control/close_reason.h"
#include "echo/control/connection_control.h"
#include "echo/control/connection_info.h"
#include "echo/control/listener_control.h"
#include "echo/control/listener_settings.h"
#include "echo/event/deadline_wheel.h"
#include "echo/event/read_poller.h"
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

constexpr absl::Duration kTimeout = absl::Seconds(10);
constexpr absl::Duration kABit = absl::Seconds(1);  // deadlines are coarse

// The server's only connection has taken nothing since it got stuck, but may
// have shortly before: so it ends after its timeout, or after twice that.
void WaitUntilClosed(TestServer& server, absl::Duration timeout) {
  server.AdvanceAndTick(timeout + kABit);
  if (server.Get(1).ok()) server.AdvanceAndTick(timeout + kABit);
  EXPECT_FALSE(server.Get(1).ok());
}

TEST(ConnectionTimeoutTest, ClosesAnIdleConnectionWhenItsTimeHasCome) {
  TestServer server(With({.idle_timeout = absl::Seconds(60)}));
  TcpClient idle = server.Connect();
  ASSERT_TRUE(idle.Send("half"));
  ASSERT_TRUE(WaitUntilReceived(server, 1, 4));
  server.AdvanceAndTick(absl::Seconds(59));
  TcpClient busy = server.Connect();
  ASSERT_TRUE(busy.Send("b\n"));
  ASSERT_EQ(busy.Read(11), "YOU SAID b\n");
  EXPECT_TRUE(server.Get(1).ok());
  server.AdvanceAndTick(absl::Seconds(2));
  EXPECT_EQ(idle.WaitForEnd(), End::kEof);
  ASSERT_TRUE(busy.Send("c\n"));
  EXPECT_EQ(busy.Read(11), "YOU SAID c\n");
  EXPECT_EQ(Closed(server, CloseReason::kIdleTimeout), 1);
}

TEST(ConnectionTimeoutTest,
     AnIdleTimeoutThatIsSetLaterHoldsForLivingConnections) {
  TestServer server;
  TcpClient client = server.Connect();
  ASSERT_TRUE(client.Send("half"));
  ASSERT_TRUE(WaitUntilReceived(server, 1, 4));
  server.clock().Advance(absl::Hours(1));
  ListenerUpdate update = Update();
  update.settings.Set(&ListenerSettings::idle_timeout, absl::Minutes(1));
  ASSERT_TRUE(server.Update(update).ok());
  EXPECT_EQ(client.WaitForEnd(), End::kEof);
}

// The kernel's buffer holds megabytes and asks for more only when a third of it
// is free; by then a slow peer has read for a long time.
void ExpectThatASlowReaderGetsAll(const ListenerSettings& settings) {
  TestServer server(With(settings));
  TcpClient slow = server.Connect({.receive_buffer = 16 << 10});
  const std::string bytes = Pattern(64 << 20);
  const std::size_t sent = SendUntilStuck(server, slow, bytes, 1);
  std::string echoed;
  for (int i = 0; i < 4; ++i) {
    echoed += slow.Read(64 << 10);
    server.AdvanceAndTick(kTimeout + kABit);
    ASSERT_TRUE(server.Get(1).ok()) << "closed after " << i;
  }
  slow.FinishSending();
  echoed += slow.ReadToEnd();
  EXPECT_TRUE(echoed == bytes.substr(0, sent)) << echoed.size();
}

TEST(ConnectionTimeoutTest, ASlowReaderIsNotIdle) {
  ExpectThatASlowReaderGetsAll(
      {.mode = EchoMode::kRaw, .idle_timeout = kTimeout});
}

// By the timeout the client has read all of the kernel's megabytes; but doing
// so kept it busy.
TEST(ConnectionTimeoutTest, APeerThatHasJustReadTheLastByteIsNotIdle) {
  TestServer server(With({.mode = EchoMode::kRaw, .idle_timeout = kTimeout}));
  TcpClient slow = server.Connect({.receive_buffer = 16 << 10});
  const std::string bytes = Pattern(1 << 20);
  ASSERT_TRUE(slow.Send(bytes));
  ASSERT_TRUE(WaitUntilReceived(server, 1, std::ssize(bytes)));
  ASSERT_EQ(server.Get(1)->bytes_buffered, 0);
  ASSERT_TRUE(slow.Read(bytes.size()) == bytes);
  ASSERT_TRUE(
      Eventually([&] { return server.Get(1)->tcp_info->unacked == 0; }));
  server.AdvanceAndTick(kTimeout + kABit);
  EXPECT_TRUE(server.Get(1).ok());
  // From here on it is.
  server.AdvanceAndTick(kTimeout + kABit);
  EXPECT_FALSE(server.Get(1).ok());
  EXPECT_EQ(slow.WaitForEnd(), End::kEof);
}

TEST(ConnectionTimeoutTest, APeerThatDoesNotReadIsIdle) {
  TestServer server(With({.mode = EchoMode::kRaw, .idle_timeout = kTimeout}));
  TcpClient stuck = server.Connect({.receive_buffer = 16 << 10});
  SendUntilStuck(server, stuck, Pattern(64 << 20), 1);
  WaitUntilClosed(server, kTimeout);
  EXPECT_EQ(Closed(server, CloseReason::kIdleTimeout), 1);
}

TEST(ConnectionTimeoutTest, APeerThatDoesNotReadStalls) {
  TestServer server(With({.mode = EchoMode::kRaw,
                          .idle_timeout = kTimeout,
                          .write_stall_timeout = absl::Seconds(3)}));
  TcpClient stuck = server.Connect({.receive_buffer = 16 << 10});
  SendUntilStuck(server, stuck, Pattern(64 << 20), 1);
  WaitUntilClosed(server, absl::Seconds(3));
  EXPECT_EQ(Closed(server, CloseReason::kWriteStall), 1);
}

TEST(ConnectionTimeoutTest, ASlowReaderDoesNotStall) {
  ExpectThatASlowReaderGetsAll({.mode = EchoMode::kRaw,
                                .idle_timeout = 2 * kTimeout,
                                .write_stall_timeout = kTimeout});
}

TEST(ConnectionTimeoutTest, AnIdlePeerDoesNotStall) {
  TestServer server(With({.mode = EchoMode::kRaw,
                          .max_connection_age = absl::Hours(1),
                          .write_stall_timeout = absl::Seconds(1)}));
  TcpClient client = server.Connect();
  ASSERT_TRUE(client.Send("a"));
  ASSERT_EQ(client.Read(1), "a");
  for (int i = 0; i < 3; ++i) server.AdvanceAndTick(absl::Minutes(1));
  ASSERT_TRUE(client.Send("b"));
  EXPECT_EQ(client.Read(1), "b");
}

TEST(ConnectionTimeoutTest, AtItsMaximumAgeItIsClosedGracefully) {
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

TEST(ConnectionTimeoutTest, APeerThatDoesNotCloseAfterItsMaximumAgeIsCutOff) {
  TestServer server(With({.max_connection_age = absl::Minutes(1)}));
  TcpClient client = server.Connect();
  ASSERT_TRUE(client.Send("half"));
  ASSERT_TRUE(WaitUntilReceived(server, 1, 4));
  server.clock().Advance(absl::Seconds(62));
  ASSERT_TRUE(Eventually([&] {
    return server.Get(1)->state == ConnectionInfo::State::kDraining;
  }));
  server.clock().Advance(absl::Seconds(31));
  EXPECT_EQ(client.WaitForEnd(), End::kReset);
  EXPECT_EQ(Closed(server, CloseReason::kDrainDeadline), 1);
}

// More clients than the loop serves between waking up and running its timers.
class PauseTest : public ::testing::Test {
 protected:
  static constexpr std::size_t kMany =
      ReadPoller::kMostEvents + ReadPoller::kBatch + 64;

  explicit PauseTest(const ListenerSettings& settings =
                         {.mode = EchoMode::kRaw, .idle_timeout = kTimeout})
      : server_(Options(settings)) {
    RaiseDescriptorLimit();
    for (std::size_t i = 0; i < kMany; ++i) {
      clients_.push_back(server_.Connect());
    }
    EXPECT_TRUE(Eventually([&] {
      return server_.control().GetStats().total.active ==
             static_cast<std::int64_t>(kMany);
    }));
  }

  // The process is stopped for longer than the idle timeout while the clients
  // are active. When it goes on, timers and bytes are due at once.
  void Pause(const std::function<void(TcpClient&)>& act) {
    server_.OnMainLoop([&](EchoServer&) {
      // The first to connect is read last, and its deadline comes first.
      for (auto each = clients_.rbegin(); each != clients_.rend(); ++each) {
        act(*each);
      }
      server_.clock().Advance(2 * kTimeout);
      const absl::Time timers_are_due =
          absl::Now() + 2 * absl::FromChrono(DeadlineWheel::kTick);
      while (absl::Now() < timers_are_due) {
      }
    });
  }

  static EchoServerOptions Options(const ListenerSettings& settings) {
    EchoServerOptions options = With(settings);
    options.drain_timeout = kTimeout;
    return options;
  }

  TestServer server_;
  std::vector<TcpClient> clients_;
};

TEST_F(PauseTest, AClientThatSentMeanwhileIsNotIdle) {
  Pause([](TcpClient& client) { EXPECT_TRUE(client.Send("sent")); });
  for (TcpClient& client : clients_) EXPECT_EQ(client.Read(4), "sent");
  EXPECT_EQ(Closed(server_, CloseReason::kIdleTimeout), 0);
}

// Otherwise they would be counted as idle.
TEST_F(PauseTest, AClientThatClosedMeanwhileIsNotIdle) {
  Pause([](TcpClient& client) { client.FinishSending(); });
  for (TcpClient& client : clients_) EXPECT_EQ(client.WaitForEnd(), End::kEof);
  EXPECT_TRUE(Eventually([&] {
    return Closed(server_, CloseReason::kPeerClosed) ==
           static_cast<std::int64_t>(kMany);
  }));
}

TEST_F(PauseTest, AClientThatReadEverythingMeanwhileHasNotStalled) {
  ListenerUpdate update = Update();
  update.settings.Set(&ListenerSettings::write_stall_timeout, kTimeout);
  ASSERT_TRUE(server_.Update(update).ok());
  TcpClient slow = server_.Connect({.receive_buffer = 16 << 10});
  const std::string bytes = Pattern(64 << 20);
  const std::size_t sent = SendUntilStuck(server_, slow, bytes, kMany + 1);
  const auto in_kernel =
      static_cast<std::size_t>(server_.Get(kMany + 1)->bytes_sent);
  std::string echoed;
  Pause([&](TcpClient& client) {
    EXPECT_TRUE(client.Send("sent"));
    if (echoed.empty()) echoed = slow.Read(in_kernel);
  });
  for (TcpClient& client : clients_) EXPECT_EQ(client.Read(4), "sent");
  slow.FinishSending();
  echoed += slow.ReadToEnd();
  EXPECT_TRUE(echoed == bytes.substr(0, sent)) << echoed.size();
  EXPECT_EQ(Closed(server_, CloseReason::kWriteStall), 0);
}

class DrainPauseTest : public PauseTest {
 protected:
  DrainPauseTest() : PauseTest(ListenerSettings()) {}
};

TEST_F(DrainPauseTest, AClientThatFinishedItsLineMeanwhileIsNotCutOff) {
  for (std::size_t i = 0; i < kMany; ++i) {
    ASSERT_TRUE(clients_[i].Send("half"));
    ASSERT_TRUE(WaitUntilReceived(server_, i + 1, 4));
    ASSERT_TRUE(server_.Close(i + 1, CloseMode::kGraceful).ok());
  }
  Pause([](TcpClient& client) { EXPECT_TRUE(client.Send(" a line\n")); });
  for (TcpClient& client : clients_) {
    EXPECT_EQ(client.ReadToEnd(), "YOU SAID half a line\n");
  }
  EXPECT_EQ(Closed(server_, CloseReason::kDrainDeadline), 0);
}

}  // namespace
}  // namespace echod
