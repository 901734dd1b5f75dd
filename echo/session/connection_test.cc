// SPDX-License-Identifier: Apache-2.0

// One connection's life on real sockets: the conversation, half-close,
// back-pressure. How the server ends it is in connection_end_test.cc; what
// needs more of the server in echo_server_test.cc.

#include "echo/session/connection.h"

#include <cstddef>
#include <iterator>
#include <string>
#include <thread>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "echo/control/close_reason.h"
#include "echo/control/connection_info.h"
#include "echo/control/listener_control.h"
#include "echo/control/listener_settings.h"
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

TEST(ConnectionTest, AnswersEachLine) {
  TestServer server;
  TcpClient client = server.Connect();
  ASSERT_TRUE(client.Send("hello world.\r\nsecond\n\n"));
  client.FinishSending();
  EXPECT_EQ(client.ReadToEnd(),
            "YOU SAID hello world.\nYOU SAID second\nYOU SAID \n");
}

TEST(ConnectionTest, AnswersALastLineWithoutEnd) {
  TestServer server;
  TcpClient client = server.Connect();
  ASSERT_TRUE(client.Send("one\ntwo"));
  client.FinishSending();
  End end = End::kTimeout;
  EXPECT_EQ(client.ReadToEnd(&end), "YOU SAID one\nYOU SAID two\n");
  EXPECT_EQ(end, End::kEof);
}

TEST(ConnectionTest, SaysThatALineIsTooLongAndClosesGracefully) {
  TestServer server(With({.max_line_bytes = 8}));
  TcpClient client = server.Connect();
  ASSERT_TRUE(client.Send("12345678\n123456789\nnever answered\n"));
  End end = End::kTimeout;
  EXPECT_EQ(client.ReadToEnd(&end),
            "YOU SAID 12345678\nERROR line exceeds 8 bytes\n");
  EXPECT_EQ(end, End::kEof);
}

TEST(ConnectionTest, EchoesRawBytesThroughAHalfClose) {
  TestServer server(Raw());
  const std::string sent = Pattern(32 << 20);
  TcpClient client = server.Connect();
  std::thread writer([&] {
    EXPECT_TRUE(client.Send(sent));
    client.FinishSending();
  });
  End end = End::kTimeout;
  const std::string echoed = client.ReadToEnd(&end);
  writer.join();
  EXPECT_EQ(end, End::kEof);
  EXPECT_TRUE(echoed == sent) << echoed.size() << " of " << sent.size();
}

TEST(ConnectionTest, EchoesThroughASmallWindow) {
  // The kernel takes little at a time, so that nearly all goes through the
  // bufferevent's output.
  TestServer server(With({.mode = EchoMode::kRaw, .max_buffered_bytes = 4096}));
  const std::string sent = Pattern(16 << 20);
  TcpClient client = server.Connect({.receive_buffer = 2048});
  std::thread writer([&] {
    EXPECT_TRUE(client.Send(sent));
    client.FinishSending();
  });
  // The client does not read yet, so reading must stop.
  EXPECT_TRUE(Eventually(
      [&] { return server.control().GetStats().total.read_pauses > 0; }));
  const std::string echoed = client.ReadToEnd();
  writer.join();
  EXPECT_TRUE(echoed == sent) << echoed.size() << " of " << sent.size();
}

TEST(ConnectionTest, StopsReadingAPeerThatDoesNotRead) {
  constexpr std::int64_t kLimit = 256 * 1024;
  TestServer server(
      With({.mode = EchoMode::kRaw, .max_buffered_bytes = kLimit}));
  TcpClient client = server.Connect({.receive_buffer = 16 << 10});
  const std::string bytes = Pattern(64 << 20);
  const std::size_t sent = SendUntilStuck(server, client, bytes, 1);
  const ConnectionInfo info = *server.Get(1);
  EXPECT_GT(info.bytes_buffered, kLimit - (64 << 10));
  EXPECT_LE(info.bytes_buffered, kLimit);
  EXPECT_EQ(server.control().GetStats().total.bytes_buffered,
            info.bytes_buffered);

  client.FinishSending();
  const std::string echoed = client.ReadToEnd();
  EXPECT_TRUE(echoed == bytes.substr(0, sent));
  EXPECT_EQ(server.control().GetStats().total.bytes_buffered, 0);
}

TEST(ConnectionTest, BoundsAnswersThatAreLongerThanTheirLines) {
  constexpr std::int64_t kLimit = 64 * 1024;
  TestServer server(With({.max_buffered_bytes = kLimit}));
  TcpClient client = server.Connect({.receive_buffer = 16 << 10});
  const std::string bytes(64 << 20, '\n');
  const std::size_t sent = SendUntilStuck(server, client, bytes, 1);
  // The answer to the last line may just not fit.
  EXPECT_GT(server.Get(1)->bytes_buffered, kLimit / 2);
  EXPECT_LE(server.Get(1)->bytes_buffered, kLimit + 10);

  client.FinishSending();
  const std::string echoed = client.ReadToEnd();
  EXPECT_EQ(echoed.size(), sent * 10);
  EXPECT_EQ(server.control().GetStats().total.lines_echoed,
            static_cast<std::int64_t>(sent));
}

TEST(ConnectionTest, ALoweredLimitPausesALivingConnection) {
  TestServer server(
      With({.mode = EchoMode::kRaw, .max_buffered_bytes = 64 << 20}));
  TcpClient client = server.Connect({.receive_buffer = 16 << 10});
  const std::string bytes = Pattern(16 << 20);
  ASSERT_TRUE(client.Send(bytes));
  ASSERT_TRUE(WaitUntilReceived(server, 1, std::ssize(bytes)));
  ASSERT_GT(server.Get(1)->bytes_buffered, 1 << 20);
  ASSERT_FALSE(server.Get(1)->reading_paused);
  ListenerUpdate lower = Update();
  lower.settings.Set(&ListenerSettings::max_buffered_bytes, 1 << 20);
  ASSERT_TRUE(server.Update(lower).ok());
  ASSERT_TRUE(Eventually([&] { return server.Get(1)->reading_paused; }));
  EXPECT_EQ(server.control().GetStats().total.read_pauses, 1);
  ASSERT_TRUE(client.Send("more"));
  client.FinishSending();
  EXPECT_TRUE(client.ReadToEnd() == bytes + "more");
}

TEST(ConnectionTest, ARaisedLimitLetsAPausedConnectionGoOn) {
  TestServer server(With({.mode = EchoMode::kRaw}));
  TcpClient client = server.Connect({.receive_buffer = 16 << 10});
  const std::string bytes = Pattern(64 << 20);
  std::size_t sent = SendUntilStuck(server, client, bytes, 1);
  ListenerUpdate raise = Update();
  raise.settings.Set(&ListenerSettings::max_buffered_bytes, 4 << 20);
  ASSERT_TRUE(server.Update(raise).ok());
  sent += SendUntilStuck(server, client, bytes.substr(sent), 1);
  EXPECT_GT(server.Get(1)->bytes_buffered, (4 << 20) - (64 << 10));
  client.FinishSending();
  EXPECT_TRUE(client.ReadToEnd() == bytes.substr(0, sent));
}

// Urgent data, as telnet's `send synch` sends it, keeps its place in the
// stream.
TEST(ConnectionTest, UrgentBytesComeBackInTheirPlace) {
  for (const EchoMode mode : {EchoMode::kRaw, EchoMode::kLine}) {
    TestServer server(With({.mode = mode}));
    TcpClient client = server.Connect();
    std::string sent;
    for (int i = 0; i < 3; ++i) {
      ASSERT_TRUE(client.Send("before"));
      ASSERT_TRUE(client.SendUrgent("\xFF\xF2"));  // IAC DM
      ASSERT_TRUE(client.Send("after"));
      sent +=
          "before\xFF\xF2"
          "after";
    }
    ASSERT_TRUE(client.SendUrgent("!"));
    client.FinishSending();
    sent += "!";
    EXPECT_EQ(client.ReadToEnd(), mode == EchoMode::kRaw
                                      ? sent
                                      : absl::StrCat("YOU SAID ", sent, "\n"));
  }
}

TEST(ConnectionTest, APeersResetEndsIt) {
  TestServer server(Raw());
  TcpClient client = server.Connect({.receive_buffer = 16 << 10});
  SendUntilStuck(server, client, Pattern(64 << 20), 1);
  client.Reset();
  server.DrainAndWait({});
  EXPECT_EQ(Closed(server, CloseReason::kPeerReset), 1);
}

TEST(ConnectionTest, DescribesItself) {
  TestServer server;
  TcpClient client = server.Connect();
  ASSERT_TRUE(client.Send("abc\nde"));
  ASSERT_EQ(client.Read(13), "YOU SAID abc\n");
  ASSERT_TRUE(WaitUntilReceived(server, 1, 6));
  const ConnectionInfo info = *server.Get(1);
  EXPECT_EQ(info.number, 1u);
  EXPECT_EQ(info.listener_id, "default");
  EXPECT_EQ(info.listener_generation, 1);
  EXPECT_EQ(info.state, ConnectionInfo::State::kOpen);
  EXPECT_EQ(info.remote_address, client.local().ToString());
  EXPECT_EQ(info.local_address, server.address().ToString());
  EXPECT_EQ(info.bytes_received, 6);
  EXPECT_EQ(info.bytes_sent, 13);
  EXPECT_EQ(info.bytes_buffered, 0);  // half a line has no answer
  EXPECT_EQ(info.lines_echoed, 1);
  EXPECT_FALSE(info.reading_paused);
  EXPECT_EQ(info.create_time, server.clock().WallNow());
  server.clock().Advance(absl::Seconds(9));
  EXPECT_EQ(server.Get(1)->create_time, info.create_time);
  EXPECT_EQ(server.Get(1)->last_active_time, info.last_active_time);
  ASSERT_TRUE(info.tcp_info.has_value());
  EXPECT_GT(info.tcp_info->congestion_window, 0);
}

}  // namespace
}  // namespace echod
