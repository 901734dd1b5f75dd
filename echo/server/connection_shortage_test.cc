// SPDX-License-Identifier: Apache-2.0

// What one connection's share of a shortage is: the system has no epoll watch
// or no memory for it. The others live on.

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "echo/control/close_reason.h"
#include "echo/control/connection_control.h"
#include "echo/control/connection_info.h"
#include "echo/control/listener_settings.h"
#include "echo/control/reply.h"
#include "echo/control/server_control.h"
#include "echo/event/read_poller.h"
#include "echo/server/echo_server.h"
#include "echo/testing/test_server.h"
#include "gtest/gtest.h"
#include "tests/support/conversation.h"
#include "tests/support/eventually.h"
#include "tests/support/tcp_client.h"

namespace {

// The errno of the server's next calls, 0 for none, and how many are to fail
// and have failed.
struct Failures {
  std::atomic<int> error{0};
  std::atomic<int> left{0};
  std::atomic<int> seen{0};

  void Set(int next_error, int count) {
    seen = 0;
    left = count;
    error = next_error;
  }

  bool Hit() {
    if (error == 0 || left == 0) return false;
    --left;
    ++seen;
    errno = error;
    return true;
  }
};

Failures watches;
Failures removals;
Failures receives;
Failures sends;
constexpr int kForGood = 1'000'000'000;

// Calls about a descriptor that has been closed, and may be another's by now.
std::atomic<int> calls_on_closed{0};

// The clients of the tests are not what is tested.
thread_local bool is_client = false;

}  // namespace

// In place of the C library's, for this program.
extern "C" {

int epoll_ctl(int epoll_fd, int operation, int fd, epoll_event* event) {
  Failures& failures = operation == EPOLL_CTL_DEL ? removals : watches;
  if (failures.Hit()) return -1;
  const auto result =
      static_cast<int>(syscall(SYS_epoll_ctl, epoll_fd, operation, fd, event));
  if (result != 0 && errno == EBADF) ++calls_on_closed;
  return result;
}

ssize_t recv(int fd, void* bytes, std::size_t size, int flags) {
  if (!is_client && receives.Hit()) return -1;
  return syscall(SYS_recvfrom, fd, bytes, size, flags, nullptr, nullptr);
}

ssize_t send(int fd, const void* bytes, std::size_t size, int flags) {
  if (!is_client && sends.Hit()) return -1;
  return syscall(SYS_sendto, fd, bytes, size, flags, nullptr, 0);
}

// What libevent sends with.
ssize_t writev(int fd, const iovec* parts, int count) {
  if (!is_client && sends.Hit()) return -1;
  return syscall(SYS_writev, fd, parts, count);
}

}  // extern "C"

namespace echod {
namespace {

using testing::Eventually;
using testing::Pattern;
using testing::TcpClient;
using End = TcpClient::End;

// How many others there are: with many, the loop polls a connection by itself.
class ConnectionShortageTest : public ::testing::TestWithParam<int> {
 protected:
  ConnectionShortageTest() {
    is_client = true;
    for (int i = 0; i < GetParam(); ++i) others_.push_back(server_.Connect());
    others_.push_back(server_.Connect());
  }
  ~ConnectionShortageTest() override {
    EXPECT_EQ(calls_on_closed.exchange(0), 0);
    for (Failures* each : {&watches, &removals, &receives, &sends})
      each->Set(0, 0);
  }

  std::uint64_t Number() const { return others_.size() + 1; }

  void ExpectOthersLive() {
    for (TcpClient& other : others_) {
      EXPECT_TRUE(other.Send("o"));
      EXPECT_EQ(other.Read(1), "o");
    }
  }

  void ExpectExhausted(TcpClient& client) {
    EXPECT_EQ(client.WaitForEnd(), End::kReset);
    EXPECT_TRUE(Eventually(
        [&] { return Closed(server_, CloseReason::kResourceExhausted) == 1; }));
    ExpectNothingBuffered();
  }

  // The connection is gone soon after it has been counted.
  void ExpectNothingBuffered() {
    EXPECT_TRUE(Eventually([&] {
      return server_.control().GetStats().total.bytes_buffered == 0;
    }));
  }

  TestServer server_{
      With({.mode = EchoMode::kRaw, .max_connection_age = absl::Hours(9)})};
  std::vector<TcpClient> others_;
};

TEST_P(ConnectionShortageTest, ANewSocketThatCannotBeWatched) {
  ExpectOthersLive();
  for (const int error : {ENOSPC, ENOMEM}) {
    const std::int64_t before =
        Closed(server_, CloseReason::kResourceExhausted);
    watches.Set(error, 1);
    TcpClient client = server_.Connect();
    EXPECT_EQ(client.WaitForEnd(), End::kReset);
    EXPECT_TRUE(Eventually([&] {
      return Closed(server_, CloseReason::kResourceExhausted) == before + 1;
    }));
  }
  TcpClient next = server_.Connect();
  ASSERT_TRUE(next.Send("n"));
  EXPECT_EQ(next.Read(1), "n");
  ExpectOthersLive();
}

TEST_P(ConnectionShortageTest, ASocketThatCannotBeWatchedAgainAfterAPause) {
  ExpectOthersLive();
  TcpClient client = server_.Connect({.receive_buffer = 16 << 10});
  SendUntilStuck(server_, client, Pattern(64 << 20), Number());
  watches.Set(ENOSPC, kForGood);
  ExpectExhausted(client);
  watches.Set(0, 0);
  ExpectOthersLive();
}

// It was owed something: so the process must not end with 0.
TEST_P(ConnectionShortageTest, ADrainInWhichAConnectionIsLost) {
  TcpClient client = server_.Connect({.receive_buffer = 16 << 10});
  SendUntilStuck(server_, client, Pattern(64 << 20), Number());
  ASSERT_TRUE(TestServer::Await<ServerInfo>([&](Reply<ServerInfo> reply) {
                server_.control().Drain({}, std::move(reply));
              }).ok());
  ASSERT_TRUE(Eventually([&] {
    return server_.Get(Number())->state == ConnectionInfo::State::kDraining;
  }));
  watches.Set(ENOSPC, kForGood);
  ExpectExhausted(client);
  others_.clear();
  server_.WaitUntilStopped();
  server_.OnMainLoop(
      [](EchoServer& each) { EXPECT_FALSE(each.DrainedCleanly()); });
}

// The output goes before the socket that it watches. See the fixture.
TEST_P(ConnectionShortageTest, AConnectionThatEndsWithOutputThatWaits) {
  TcpClient client = server_.Connect({.receive_buffer = 16 << 10});
  SendUntilStuck(server_, client, Pattern(64 << 20), Number());
  ASSERT_TRUE(server_.Close(Number(), CloseMode::kReset).ok());
  EXPECT_EQ(client.WaitForEnd(), End::kReset);
  ExpectNothingBuffered();
}

// libevent would say nothing, and the output wait for ever.
TEST_P(ConnectionShortageTest, OutputThatCannotBeWatched) {
  ExpectOthersLive();
  TcpClient client = server_.Connect({.receive_buffer = 16 << 10});
  ASSERT_TRUE(client.Send("c"));
  ASSERT_EQ(client.Read(1), "c");
  watches.Set(ENOSPC, kForGood);
  EXPECT_FALSE(client.Send(Pattern(64 << 20)));
  EXPECT_TRUE(Eventually(
      [&] { return Closed(server_, CloseReason::kResourceExhausted) == 1; }));
  ExpectNothingBuffered();
  watches.Set(0, 0);
  ExpectOthersLive();
}

// No kernel is known to do that. But what is not watched any more must not be
// called, and can be watched again.
TEST_P(ConnectionShortageTest, AWatchThatCannotBeRemoved) {
  ExpectOthersLive();
  removals.Set(ENOMEM, kForGood);
  TcpClient client = server_.Connect({.receive_buffer = 16 << 10});
  const std::string bytes = Pattern(64 << 20);
  const std::size_t sent = SendUntilStuck(server_, client, bytes, Number());
  const std::int64_t received = server_.Get(Number())->bytes_received;
  ExpectOthersLive();
  EXPECT_EQ(server_.Get(Number())->bytes_received, received);
  client.FinishSending();
  EXPECT_TRUE(client.ReadToEnd() == bytes.substr(0, sent));
  EXPECT_GT(removals.seen, 0);
  ExpectOthersLive();
}

TEST_P(ConnectionShortageTest, AReceiveThatFailsIsTriedAgainSoon) {
  TcpClient client = server_.Connect();
  ASSERT_TRUE(WaitUntilReceived(server_, Number(), 0));
  receives.Set(ENOMEM, 3);
  ASSERT_TRUE(client.Send("bytes"));
  ASSERT_TRUE(Eventually([] { return receives.seen == 1; }));
  // Not before some time has passed.
  server_.AdvanceAndTick(absl::Milliseconds(1));
  EXPECT_EQ(receives.seen, 1);
  for (int i = 0; i < 3; ++i) {
    server_.AdvanceAndTick(absl::Milliseconds(1100));
    ASSERT_TRUE(
        Eventually([&] { return receives.seen == std::min(i + 2, 3); }));
  }
  EXPECT_EQ(client.Read(5), "bytes");
  ASSERT_TRUE(client.Send("more"));
  EXPECT_EQ(client.Read(4), "more");
}

TEST_P(ConnectionShortageTest, AReceiveThatFailsForTooLong) {
  TcpClient client = server_.Connect();
  ASSERT_TRUE(WaitUntilReceived(server_, Number(), 0));
  receives.Set(ENOBUFS, kForGood);
  ASSERT_TRUE(client.Send("bytes"));
  ASSERT_TRUE(Eventually([] { return receives.seen == 1; }));
  for (int i = 1; i < 10; ++i) {
    server_.AdvanceAndTick(absl::Milliseconds(1100));
    ASSERT_TRUE(Eventually([&] { return receives.seen == i + 1; }));
  }
  EXPECT_TRUE(server_.Get(Number()).ok());
  server_.AdvanceAndTick(absl::Milliseconds(1100));
  ExpectExhausted(client);
}

TEST_P(ConnectionShortageTest, ASendThatFailsIsTriedAgainSoon) {
  for (const int error : {ENOMEM, ENOBUFS}) {
    TcpClient client = server_.Connect();
    ASSERT_TRUE(client.Send("first"));
    ASSERT_EQ(client.Read(5), "first");
    sends.Set(error, 4);  // one of echod's own, then libevent's
    ASSERT_TRUE(client.Send("second"));
    ASSERT_TRUE(Eventually([] { return sends.seen == 2; }));
    ASSERT_TRUE(client.Send("third"));  // gets behind
    server_.AdvanceAndTick(absl::Milliseconds(1));
    EXPECT_EQ(sends.seen, 2);
    for (int i = 0; i < 3; ++i) {
      server_.AdvanceAndTick(absl::Milliseconds(1100));
      ASSERT_TRUE(Eventually([&] { return sends.seen == std::min(i + 3, 4); }));
    }
    EXPECT_EQ(client.Read(11), "secondthird");
    ASSERT_TRUE(client.Send("fourth"));
    EXPECT_EQ(client.Read(6), "fourth");
  }
}

TEST_P(ConnectionShortageTest, ASendThatFailsForTooLong) {
  TcpClient client = server_.Connect();
  sends.Set(ENOBUFS, kForGood);
  ASSERT_TRUE(client.Send("bytes"));
  ASSERT_TRUE(Eventually([] { return sends.seen == 2; }));
  for (int i = 1; i < 10; ++i) {
    server_.AdvanceAndTick(absl::Milliseconds(1100));
    ASSERT_TRUE(Eventually([&] { return sends.seen == i + 2; }));
  }
  EXPECT_TRUE(server_.Get(Number()).ok());
  server_.AdvanceAndTick(absl::Milliseconds(1100));
  ExpectExhausted(client);
}

INSTANTIATE_TEST_SUITE_P(Others, ConnectionShortageTest,
                         ::testing::Values(0, ReadPoller::kMostEvents));

}  // namespace
}  // namespace echod
