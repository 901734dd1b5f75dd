// SPDX-License-Identifier: Apache-2.0

#include "echo/net/acceptor.h"

#include <sys/syscall.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <future>
#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "echo/base/socket_address.h"
#include "echo/base/unique_fd.h"
#include "echo/event/event_loop.h"
#include "echo/net/listen_socket.h"
#include "echo/testing/every_turn.h"
#include "gtest/gtest.h"
#include "tests/support/refused_system_call.h"
#include "tests/support/tcp_client.h"

namespace echod {
namespace {

using testing::RefuseSystemCall;
using testing::TcpClient;

// An Acceptor on a loop and a thread of its own, on which a system call fails.
class AcceptorOnThread {
 public:
  AcceptorOnThread(int refused_call, int error) {
    std::promise<void> ready;
    thread_ = std::thread([this, refused_call, error, &ready] {
      auto listening = OpenListenSocket(*SocketAddress::Parse("127.0.0.1:0"),
                                        /*backlog=*/64);
      ASSERT_TRUE(RefuseSystemCall(refused_call, error));
      Acceptor acceptor(*loop_, *std::move(listening),
                        {.on_accept =
                             [this](UniqueFd, const SocketAddress&) {
                               if (++accepted_ == 1)
                                 first_accepted_.set_value();
                             },
                         .on_accepted_all = [] {},
                         .on_error =
                             [this] {
                               if (++errors_ == kErrors)
                                 many_errors_.set_value();
                             }});
      address_ = acceptor.address().ip();
      ready.set_value();
      EXPECT_TRUE(loop_->Run().ok());
    });
    ready.get_future().wait();
  }
  ~AcceptorOnThread() {
    loop_->Stop();
    thread_.join();
  }

  std::optional<TcpClient> Connect() { return TcpClient::Connect(address_); }

  // Whether accepting has failed until it backed off, and once more.
  bool WaitForErrors() { return Wait(many_errors_); }
  bool WaitForFirst() { return Wait(first_accepted_); }

  // Whether the loop still runs what is posted to it.
  bool Turns() {
    auto turned = std::make_shared<std::promise<void>>();
    loop_->Post([turned] { turned->set_value(); });
    return Wait(*turned);
  }

  static constexpr int kErrors = 10;

 private:
  static bool Wait(std::promise<void>& promise) {
    return promise.get_future().wait_for(std::chrono::seconds(20)) ==
           std::future_status::ready;
  }

  // Outlives the thread, which may end before Stop has returned.
  const std::unique_ptr<EventLoop> loop_ = *EventLoop::Create();
  SocketAddress address_;
  std::atomic<int> accepted_{0};
  std::atomic<int> errors_{0};
  std::promise<void> many_errors_;
  std::promise<void> first_accepted_;
  std::thread thread_;
};

class RefusedAcceptTest : public ::testing::TestWithParam<int> {};

// The connection stays in the queue, and the socket readable.
TEST_P(RefusedAcceptTest, BacksOffAndTheLoopGoesOn) {
  AcceptorOnThread acceptor(SYS_accept4, GetParam());
  const auto client = acceptor.Connect();
  ASSERT_TRUE(client.has_value());
  // An endless loop cannot be joined.
  if (!acceptor.WaitForErrors() || !acceptor.Turns()) std::abort();
}

INSTANTIATE_TEST_SUITE_P(Errors, RefusedAcceptTest,
                         ::testing::Values(EPERM, ECONNABORTED, EPROTO,
                                           ENETDOWN));

TEST(AcceptorTest, AcceptsWhereTheSocketCannotBeWatched) {
  AcceptorOnThread acceptor(SYS_epoll_ctl, ENOSPC);
  const auto client = acceptor.Connect();
  ASSERT_TRUE(client.has_value());
  EXPECT_TRUE(acceptor.WaitForFirst());
}

// What a turn of the loop accepts at most from a socket that has a long queue
// and shares the loop with so many others: a batch.
int MostAcceptedInATurn(int others, bool stop_handshakes) {
  constexpr int kClients = 300;
  const std::unique_ptr<EventLoop> loop = *EventLoop::Create();
  const auto listen = [] {
    return *OpenListenSocket(*SocketAddress::Parse("127.0.0.1:0"), 512);
  };
  const auto quiet = [] {
    return Acceptor::Callbacks{
        .on_accept = [](UniqueFd, const SocketAddress&) {},
        .on_accepted_all = [] {},
        .on_error = [] {}};
  };
  AcceptorGroup group;
  std::vector<std::unique_ptr<Acceptor>> idle;
  for (int i = 0; i < others; ++i) {
    idle.push_back(std::make_unique<Acceptor>(
        *loop, listen(), quiet(), Acceptor::Descriptors::kAll, &group));
  }
  int accepted = 0;
  int seen = 0;
  int most = 0;
  Acceptor::Callbacks callbacks = quiet();
  callbacks.on_accept = [&](UniqueFd, const SocketAddress&) { ++accepted; };
  callbacks.on_accepted_all = [&] {
    most = std::max(most, accepted - seen);
    seen = accepted;
  };
  Acceptor acceptor(*loop, listen(), std::move(callbacks),
                    Acceptor::Descriptors::kAll, &group);
  std::vector<TcpClient> clients;
  for (int i = 0; i < kClients; ++i) {
    clients.push_back(*TcpClient::Connect(acceptor.address().ip()));
  }
  EXPECT_EQ(acceptor.CheckQueue(), Acceptor::Queue::kMoving);
  if (stop_handshakes) acceptor.StopHandshakes();
  const EveryTurn every_turn(*loop, [&] {
    if (acceptor.CheckQueue() == Acceptor::Queue::kEmpty) loop->Stop();
  });
  EXPECT_TRUE(loop->Run().ok());
  EXPECT_EQ(accepted, kClients);
  return most;
}

TEST(AcceptorTest, AcceptsABoundedNumberInATurnAndLessWhereThereAreMany) {
  EXPECT_EQ(MostAcceptedInATurn(/*others=*/0, /*stop_handshakes=*/false), 64);
  EXPECT_EQ(MostAcceptedInATurn(/*others=*/3, /*stop_handshakes=*/true), 64);
  EXPECT_EQ(MostAcceptedInATurn(/*others=*/31, /*stop_handshakes=*/true), 8);
}

}  // namespace
}  // namespace echod
