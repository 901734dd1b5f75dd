// SPDX-License-Identifier: Apache-2.0

// One connection that streams without end takes its turns, and no more.

#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "echo/event/read_poller.h"
#include "echo/server/echo_server.h"
#include "echo/testing/test_server.h"
#include "gtest/gtest.h"
#include "tests/support/tcp_client.h"

namespace {

// What each read of the server's has brought, in order.
std::vector<ssize_t> reads;
// The clients of the tests are not what is tested.
thread_local bool is_client = false;

}  // namespace

// In place of the C library's, for this program.
extern "C" ssize_t recv(int fd, void* bytes, std::size_t size, int flags) {
  const ssize_t received =
      syscall(SYS_recvfrom, fd, bytes, size, flags, nullptr, nullptr);
  if (!is_client && received > 0) reads.push_back(received);
  return received;
}

namespace echod {
namespace {

using testing::TcpClient;

// How many ask for a byte beside the stream: with many, the loop polls most of
// them by itself.
class FairnessTest : public ::testing::TestWithParam<int> {};

TEST_P(FairnessTest, AStreamLeavesTheOthersTheirTurns) {
  is_client = true;
  reads.clear();
  constexpr ssize_t kMostInATurn = 64 * 1024;
  EchoServerOptions options = Raw();
  options.worker_count = 1;  // on the main loop
  TestServer server(std::move(options));
  std::vector<TcpClient> others;
  for (int i = 0; i < GetParam(); ++i) others.push_back(server.Connect());
  TcpClient stream = server.Connect();
  ASSERT_TRUE(stream.Send("first"));
  ASSERT_EQ(stream.Read(5), "first");

  // Meanwhile everybody sends: the stream more than several turns can take.
  const std::string bytes(8 << 20, 's');
  server.OnMainLoop([&](EchoServer&) {
    EXPECT_GT(stream.SendSome(bytes), static_cast<std::size_t>(kMostInATurn));
    for (TcpClient& other : others) EXPECT_TRUE(other.Send("o"));
  });
  std::thread writer([&] {
    is_client = true;
    EXPECT_TRUE(stream.Send(bytes));
    stream.FinishSending();
  });
  for (TcpClient& other : others) EXPECT_EQ(other.Read(1), "o");
  EXPECT_GT(stream.ReadToEnd().size(), bytes.size());
  writer.join();
  server.OnMainLoop([&](EchoServer&) {  // the reads are the loop's
    EXPECT_LE(*std::max_element(reads.begin(), reads.end()), kMostInATurn);
    int of_the_stream = 0;
    int of_others = 0;
    reads.erase(reads.begin());  // "first"
    for (const ssize_t each : reads) {
      if (each > 1 && ++of_the_stream == 3) break;
      if (each == 1) ++of_others;
    }
    EXPECT_EQ(of_the_stream, 3);
    EXPECT_EQ(of_others, GetParam());
  });
}

INSTANTIATE_TEST_SUITE_P(Others, FairnessTest,
                         ::testing::Values(100, 3 * ReadPoller::kMostEvents));

}  // namespace
}  // namespace echod
