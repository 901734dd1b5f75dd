// SPDX-License-Identifier: Apache-2.0

// Every byte comes back, in both modes and on every path that a byte can take:
// straight to the socket; on a connection that the loop polls past libevent,
// since there are so many; through output that waits for a tiny window; and
// through short writes.

#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "echo/control/close_reason.h"
#include "echo/control/connection_control.h"
#include "echo/control/listener_settings.h"
#include "echo/event/read_poller.h"
#include "echo/testing/test_server.h"
#include "gtest/gtest.h"
#include "tests/support/conversation.h"
#include "tests/support/eventually.h"
#include "tests/support/tcp_client.h"

namespace {

// A kernel that is short of memory accepts part of a write, or nothing.
std::atomic<bool> sends_are_short{false};
std::atomic<int> short_sends{0};
// The rest of each short write of the server has to wait.
std::atomic<int> partial_sends{0};
// Does not apply to the tests' own clients.
thread_local bool is_client = false;

}  // namespace

// In place of the C library's, for this program.
extern "C" ssize_t send(int fd, const void* bytes, std::size_t size,
                        int flags) {
  static thread_local unsigned calls = 0;
  if (!is_client && sends_are_short && size > 1) {
    ++short_sends;
    if (++calls % 5 == 0) {
      errno = EAGAIN;
      return -1;
    }
    size = 1 + calls * 7919 % std::min<std::size_t>(size - 1, 1000);
  }
  const ssize_t sent = syscall(SYS_sendto, fd, bytes, size, flags, nullptr, 0);
  if (!is_client && sent < static_cast<ssize_t>(size)) ++partial_sends;
  return sent;
}

namespace echod {
namespace {

using testing::Eventually;
using testing::Pattern;
using testing::TcpClient;
using End = TcpClient::End;

enum class Way { kDirect, kCrowd, kTinyWindow, kShortWrites };

class ByteExactTest
    : public ::testing::TestWithParam<std::tuple<EchoMode, Way>> {
 protected:
  ByteExactTest() {
    is_client = true;
    sends_are_short = way() == Way::kShortWrites;
    short_sends = 0;
    partial_sends = 0;
    while (way() == Way::kCrowd && crowd_.size() < ReadPoller::kMostEvents) {
      crowd_.push_back(server_.Connect());
    }
  }
  ~ByteExactTest() override {
    // The short writes did happen; but a single byte cannot be split.
    if (!single_bytes_) {
      EXPECT_EQ(short_sends > 0, way() == Way::kShortWrites);
    }
    sends_are_short = false;
  }

  static EchoMode mode() { return std::get<0>(GetParam()); }
  static Way way() { return std::get<1>(GetParam()); }

  static EchoServerOptions Options() {
    ListenerSettings settings = {.mode = mode()};
    if (way() == Way::kTinyWindow) settings.max_buffered_bytes = 1000;
    return With(settings);
  }

  // The server's number of the client that was connected as the i-th, from 1.
  std::uint64_t Number(std::uint64_t i) const { return crowd_.size() + i; }

  TcpClient Connect() {
    TcpClient::Options options;
    if (way() == Way::kTinyWindow) {
      // With loopback's own segments the kernel would take megabytes, and a
      // window that holds no two of them may wait for its timers.
      options.receive_buffer = 8192;
      options.max_segment = 536;
    }
    return server_.Connect(options);
  }

  // Many times what any buffer holds. TSan looks for races, is many times
  // slower, and sees nothing new in the rest.
#if defined(__SANITIZE_THREAD__)
  static constexpr std::size_t kLot = 20'000'000;
#else
  static constexpr std::size_t kLot = 100'000'000;
#endif

  // How many of `bytes` to send. A tiny window is slow, and very slow where a
  // timer has to open it.
  static std::size_t Lot(std::size_t bytes) {
    return way() == Way::kTinyWindow ? bytes / 100 : bytes;
  }

  // The expected echo of `sent`.
  static std::string Answer(absl::string_view sent) {
    if (mode() == EchoMode::kRaw) return std::string(sent);
    std::string answer;
    while (!sent.empty()) {
      absl::string_view line = sent.substr(0, sent.find('\n'));
      sent.remove_prefix(std::min(line.size() + 1, sent.size()));
      const bool ended = line.data() + line.size() != sent.data();
      if (ended && !line.empty() && line.back() == '\r') line.remove_suffix(1);
      absl::StrAppend(&answer, "YOU SAID ", line, "\n");
    }
    return answer;
  }

  // Sends each piece by itself and a FIN, and expects the whole echo.
  void Converse(const std::vector<std::string>& pieces) {
    TcpClient client = Connect();
    std::string sent;
    for (const std::string& piece : pieces) sent += piece;
    std::thread writer([&] {
      is_client = true;
      for (const std::string& piece : pieces) {
        if (!client.Send(piece)) break;
      }
      client.FinishSending();
    });
    if (way() == Way::kTinyWindow && sent.size() >= Lot(kLot)) {
      // Only now does the client begin to read.
      EXPECT_TRUE(Eventually([] { return partial_sends > 0; }));
    }
    End end = End::kTimeout;
    const std::string echoed = client.ReadToEnd(&end);
    writer.join();
    EXPECT_EQ(end, End::kEof);
    const std::string expected = Answer(sent);
    if (echoed != expected) {
      // Only now, since byte by byte is slow under sanitizers.
      const auto differ = std::mismatch(echoed.begin(), echoed.end(),
                                        expected.begin(), expected.end());
      ADD_FAILURE() << echoed.size() << " bytes instead of " << expected.size()
                    << ", different from " << differ.first - echoed.begin()
                    << " on";
    }
  }

  bool single_bytes_ = false;
  TestServer server_{Options()};
  std::vector<TcpClient> crowd_;  // at rest
};

TEST_P(ByteExactTest, OneByteSegments) {
  single_bytes_ = mode() == EchoMode::kRaw;
  std::vector<std::string> pieces;
  for (const char byte :
       std::string("ab\r\n\n\r\n\rc\r\r\nlast, without an end")) {
    pieces.emplace_back(1, byte);
  }
  Converse(pieces);
}

TEST_P(ByteExactTest, AThousandLinesInOneSegment) {
  std::string lines;
  for (int i = 0; i < 1000; ++i) absl::StrAppend(&lines, i, "\n");
  Converse({lines});
}

TEST_P(ByteExactTest, EveryValueOfAByte) {
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes.push_back(static_cast<char>(i));
  std::string more;
  for (int i = 0; i < 100; ++i) {
    absl::StrAppend(&more, bytes, absl::string_view("\0\xFF\0\n", 4), bytes,
                    "\r\n");
  }
  Converse({more});
}

TEST_P(ByteExactTest, LinesOfTheLimitSplitAnywhere) {
  std::minstd_rand random(1);
  std::string text;
  for (int i = 0; i < (way() == Way::kTinyWindow ? 8 : 40); ++i) {
    std::string line = Pattern(65'536);
    std::replace(line.begin(), line.end(), '\n', 'n');
    std::replace(line.begin(), line.end(), '\r', 'r');
    absl::StrAppend(&text, line, i % 2 == 0 ? "\n" : "\r\n");
  }
  std::vector<std::string> pieces;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t size = 1 + random() % 40'000;
    pieces.push_back(text.substr(at, size));
    at += size;
  }
  Converse(pieces);
}

TEST_P(ByteExactTest, EmptyLines) { Converse({std::string(20'000, '\n')}); }

TEST_P(ByteExactTest, MuchMoreThanBuffersHoldBeforeTheFin) {
  std::string bytes = Pattern(Lot(kLot));
  // Lines, too, and none too long.
  for (std::size_t i = 0; i < bytes.size(); i += 1000) bytes[i] = '\n';
  Converse({bytes});
}

TEST_P(ByteExactTest, ALineOneByteOverTheLimitGetsItsErrorAfterWhatIsOwed) {
  if (mode() == EchoMode::kRaw) {
    Converse({std::string(65'537, 'x'), "\n"});
    return;
  }
  TcpClient client = Connect();
  std::thread writer([&] {
    is_client = true;
    EXPECT_TRUE(client.Send("one\n" + std::string(65'537, 'x') + "\nlost\n"));
    client.FinishSending();
  });
  End end = End::kTimeout;
  EXPECT_EQ(client.ReadToEnd(&end),
            "YOU SAID one\nERROR line exceeds 65536 bytes\n");
  EXPECT_EQ(end, End::kEof);
  writer.join();
}

TEST_P(ByteExactTest, ACarriageReturnAndItsLineFeedInTwoReads) {
  TcpClient client = Connect();
  ASSERT_TRUE(client.Send("one\r"));
  ASSERT_TRUE(WaitUntilReceived(server_, Number(1), 4));
  ASSERT_TRUE(client.Send("\ntwo\r"));
  client.FinishSending();
  EXPECT_EQ(client.ReadToEnd(), Answer("one\r\ntwo\r"));
}

// Both sides close at the same time: what was sent before is answered, and
// neither sees a reset.
TEST_P(ByteExactTest, BothSidesCloseAtOnce) {
  for (std::uint64_t i = 1; i <= 20; ++i) {
    TcpClient client = Connect();
    ASSERT_TRUE(client.Send("a line\n"));
    ASSERT_TRUE(WaitUntilReceived(server_, Number(i), 7));
    std::thread closer([&] {
      is_client = true;
      (void)server_.Close(Number(i), CloseMode::kGraceful);
    });
    client.FinishSending();
    End end = End::kTimeout;
    EXPECT_EQ(client.ReadToEnd(&end), Answer("a line\n"));
    EXPECT_EQ(end, End::kEof);
    closer.join();
  }
}

// A peer that stops reading and then resets does not harm other connections.
TEST_P(ByteExactTest, APeerThatIsStuckAndThenResets) {
  std::string bytes = Pattern(64 << 20);
  for (std::size_t i = 0; i < bytes.size(); i += 1000) bytes[i] = '\n';
  TcpClient stuck = Connect();
  SendUntilStuck(server_, stuck, bytes, Number(1));
  Converse({"beside it\n"});
  stuck.Reset();
  EXPECT_TRUE(Eventually(
      [&] { return Closed(server_, CloseReason::kPeerReset) == 1; }));
  Converse({"after it\n"});
  EXPECT_EQ(server_.control().GetStats().total.bytes_buffered, 0);
}

// The peer reads only when server and kernel hold all they can; then the whole
// echo arrives.
TEST_P(ByteExactTest, APeerThatReadsOnlyWhenEverythingIsStuck) {
  TcpClient client = Connect();
  std::string bytes = Pattern(64 << 20);
  for (std::size_t i = 0; i < bytes.size(); i += 1000) bytes[i] = '\n';
  const std::size_t sent = SendUntilStuck(server_, client, bytes, Number(1));
  client.FinishSending();
  End end = End::kTimeout;
  const std::string echoed = client.ReadToEnd(&end);
  EXPECT_EQ(end, End::kEof);
  EXPECT_TRUE(echoed == Answer(absl::string_view(bytes).substr(0, sent)));
}

INSTANTIATE_TEST_SUITE_P(
    EveryWay, ByteExactTest,
    ::testing::Combine(::testing::Values(EchoMode::kLine, EchoMode::kRaw),
                       ::testing::Values(Way::kDirect, Way::kCrowd,
                                         Way::kTinyWindow, Way::kShortWrites)),
    [](const auto& param) {
      const char* const mode =
          std::get<0>(param.param) == EchoMode::kLine ? "Line" : "Raw";
      switch (std::get<1>(param.param)) {
        case Way::kDirect:
          return absl::StrCat(mode, "Direct");
        case Way::kCrowd:
          return absl::StrCat(mode, "InACrowd");
        case Way::kTinyWindow:
          return absl::StrCat(mode, "TinyWindow");
        case Way::kShortWrites:
          return absl::StrCat(mode, "ShortWrites");
      }
      return std::string();
    });

}  // namespace
}  // namespace echod
