// SPDX-License-Identifier: Apache-2.0

// A listener's old socket, which goes on for a while after a move.

#include "echo/server/retiring_socket.h"

#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "echo/base/socket_address.h"
#include "echo/base/unique_fd.h"
#include "echo/control/control_error.h"
#include "echo/control/listener_control.h"
#include "echo/control/reply.h"
#include "echo/event/event_loop.h"
#include "echo/event/timer.h"
#include "echo/net/acceptor.h"
#include "echo/net/listen_socket.h"
#include "echo/testing/every_turn.h"
#include "echo/testing/fake_clock.h"
#include "echo/testing/test_server.h"
#include "gtest/gtest.h"
#include "tests/support/conversation.h"
#include "tests/support/refused_system_call.h"
#include "tests/support/tcp_client.h"

namespace echod {
namespace {

using testing::Echoes;
using testing::TcpClient;

// The old socket goes on for a while, for handshakes under way. Other changes
// must not cut that short, unless nothing else keeps them from the port.
class RetiringSocketTest : public ::testing::Test {
 protected:
  RetiringSocketTest() {
    UniqueFd holder;
    const ListenerUpdate move = MoveTo(HeldPort(holder));
    holder.Reset();
    start_ = absl::Now();
    server_.control().UpdateListener(
        move,
        Reply<ListenerInfo>([this](const absl::StatusOr<ListenerInfo>& i) {
          EXPECT_TRUE(i.ok()) << i.status();
          retired_.set_value(absl::Now());
        }));
  }
  ~RetiringSocketTest() override {
    // The loop's clock is a coarse one: its timers come a tick early at times.
    EXPECT_GE(retired_.get_future().get() - start_,
              RetiringSocket::kHandshakeGrace / 2);
  }

  // Back to the port that the listener is leaving, on another address.
  ListenerUpdate Back(const std::string& address) const {
    ListenerUpdate update = MoveTo(old_address_.port());
    update.address = address;
    return update;
  }

  std::string Refusal(const ListenerUpdate& update) {
    return GetErrorDetail(server_.Update(update).status()).reason;
  }

  TestServer server_;
  const SocketAddress old_address_ = server_.address();
  absl::Time start_;
  std::promise<absl::Time> retired_;
};

TEST_F(RetiringSocketTest, ValidationLeavesItItsTime) {
  ListenerUpdate check = Back("127.0.0.1");
  check.validate_only = true;
  EXPECT_TRUE(server_.Update(check).ok());
  UniqueFd holder;
  check.port = HeldPort(holder);
  EXPECT_EQ(Refusal(check), "ADDRESS_IN_USE");
}

TEST_F(RetiringSocketTest, AnotherErrorLeavesItItsTime) {
  EXPECT_EQ(Refusal(Back("192.0.2.1")), "ADDRESS_NOT_AVAILABLE");
}

TEST_F(RetiringSocketTest, AnotherSocketOnThePortLeavesItItsTime) {
  const absl::StatusOr<ListenSocket> other = OpenListenSocket(
      SocketAddress::Parse("127.0.0.2:0")->WithPort(old_address_.port()), 1);
  ASSERT_TRUE(other.ok()) << other.status();
  EXPECT_EQ(Refusal(Back("127.0.0.2")), "ADDRESS_IN_USE");
  // Here both are in the way.
  EXPECT_EQ(Refusal(Back("::")), "ADDRESS_IN_USE");
  ListenerUpdate check = Back("::");
  check.validate_only = true;
  EXPECT_EQ(Refusal(check), "ADDRESS_IN_USE");
}

TEST(RetirementTest, TakesBackAPortThatItIsJustLeaving) {
  TestServer server;
  const int old_port = server.address().port();
  UniqueFd holder;
  const ListenerUpdate move = MoveTo(HeldPort(holder));
  holder.Reset();
  std::promise<bool> moved;
  server.control().UpdateListener(
      move, Reply<ListenerInfo>([&](const absl::StatusOr<ListenerInfo>& info) {
        moved.set_value(info.ok());
      }));
  const absl::StatusOr<ListenerInfo> back = server.Update(MoveTo(old_port));
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->bound_port, old_port);
  EXPECT_TRUE(moved.get_future().get());
  TcpClient client = server.Connect();
  EXPECT_TRUE(Echoes(client, "back"));
}

// A socket with a long queue, on a loop that the test runs.
class QueueTest : public ::testing::Test {
 protected:
  std::unique_ptr<Acceptor> NewAcceptor(int clients) {
    auto acceptor = std::make_unique<Acceptor>(
        *loop_, *OpenListenSocket(*SocketAddress::Parse("127.0.0.1:0"), 512),
        Acceptor::Callbacks{
            .on_accept = [this](UniqueFd,
                                const SocketAddress&) { ++accepted_; },
            .on_accepted_all = [] {},
            .on_error = [] {}},
        Acceptor::Descriptors::kAll);
    for (int i = 0; i < clients; ++i) {
      clients_.push_back(*TcpClient::Connect(acceptor->address().ip()));
    }
    return acceptor;
  }

  // Runs the loop until the socket has closed; whether connections were lost.
  bool Retire(std::unique_ptr<Acceptor> acceptor) {
    bool lost_connections = false;
    const RetiringSocket socket(*loop_, clock_, std::move(acceptor),
                                [&](RetiringSocket&, bool lost) {
                                  lost_connections = lost;
                                  loop_->Stop();
                                });
    EXPECT_TRUE(loop_->Run().ok());
    return lost_connections;
  }

  const std::unique_ptr<EventLoop> loop_ = *EventLoop::Create();
  FakeClock clock_;
  int accepted_ = 0;
  std::vector<TcpClient> clients_;
};

TEST_F(QueueTest, IsEmptiedInBatches) {
  auto acceptor = NewAcceptor(300);
  int seen = 0;
  int most = 0;
  const EveryTurn every_turn(*loop_, [&] {
    most = std::max(most, accepted_ - seen);
    seen = accepted_;
  });
  EXPECT_FALSE(Retire(std::move(acceptor)));
  EXPECT_EQ(accepted_, 300);
  // Two batches may lie between two callbacks.
  EXPECT_LE(most, 2 * 64);
}

// The process was stopped for so long that the time is up: what waits and can
// be accepted is not lost for that.
TEST_F(QueueTest, IsEmptiedEvenWhenTheTimeIsUp) {
  auto acceptor = NewAcceptor(300);
  Timer pause(*loop_, [this] {
    const absl::Time end = absl::Now() + 2 * RetiringSocket::kHandshakeGrace;
    while (absl::Now() < end) continue;
    clock_.Advance(absl::Hours(1));
  });
  pause.Arm(absl::ZeroDuration());
  EXPECT_FALSE(Retire(std::move(acceptor)));
  EXPECT_EQ(accepted_, 300);
}

TEST_F(QueueTest, IsGivenUpWhereAcceptingFailsForTooLong) {
  // On a thread of its own, since the refusal is for the thread's life.
  std::thread([this] {
    auto acceptor = NewAcceptor(3);
    ASSERT_TRUE(testing::RefuseSystemCall(SYS_accept4, EMFILE));
    int checks = 0;
    const EveryTurn every_turn(*loop_, [&] {
      if (++checks == 100) clock_.Advance(absl::Seconds(11));
    });
    EXPECT_TRUE(Retire(std::move(acceptor)));
    EXPECT_EQ(accepted_, 0);
  }).join();
  EXPECT_EQ(clients_[0].WaitForEnd(), TcpClient::End::kReset);
}

}  // namespace
}  // namespace echod
