// SPDX-License-Identifier: Apache-2.0

// The echo path of the real program, for what needs a separate process: memory,
// descriptors, CPU time, and large amounts of data.

#include <sys/resource.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "tests/e2e/admin_client.h"
#include "tests/support/conversation.h"
#include "tests/support/eventually.h"
#include "tests/support/server_process.h"
#include "tests/support/tcp_client.h"

namespace echod::e2e {
namespace {

using testing::Echoes;
using testing::Eventually;
using testing::Pattern;
using testing::ServerProcess;
using testing::TcpClient;
using End = TcpClient::End;

TEST(EchoTest, HoldsTheTutorialsConversation) {
  const ServerProcess server;
  TcpClient client = server.Connect();
  ASSERT_TRUE(client.Send("hello world.\r\n"));
  EXPECT_EQ(client.Read(22), "YOU SAID hello world.\n");
}

TEST(EchoTest, EchoesAHundredMegabytesThroughAHalfClose) {
  std::string sent = Pattern(100'000'000);
  constexpr std::size_t kLine = 1000;
  for (const bool lines : {false, true}) {
    const ServerProcess server({lines ? "--mode=line" : "--mode=raw"});
    std::string expected = sent;
    if (lines) {
      // No newline except where the expected answer has one.
      for (char& byte : sent) {
        if (byte == '\n' || byte == '\r') byte = ' ';
      }
      expected.clear();
      for (std::size_t i = 0; i < sent.size(); i += kLine) {
        sent[i + kLine - 1] = '\n';
        absl::StrAppend(&expected, "YOU SAID ",
                        absl::string_view(sent).substr(i, kLine));
      }
    }
    TcpClient client = server.Connect();
    std::thread writer([&] {
      EXPECT_TRUE(client.Send(sent));
      client.FinishSending();
    });
    End end = End::kTimeout;
    const std::string echoed = client.ReadToEnd(&end);
    writer.join();
    EXPECT_EQ(end, End::kEof);
    EXPECT_TRUE(echoed == expected)
        << echoed.size() << " of " << expected.size();
  }
}

TEST(EchoTest, KeepsALineOfTheDefaultLimitAndRefusesOneByteMore) {
  const ServerProcess server;
  TcpClient client = server.Connect();
  const std::string line(65536, 'x');
  ASSERT_TRUE(Echoes(client, line));
  ASSERT_TRUE(client.Send(line + "x\n"));
  End end = End::kTimeout;
  EXPECT_EQ(client.ReadToEnd(&end), "ERROR line exceeds 65536 bytes\n");
  EXPECT_EQ(end, End::kEof);
}

TEST(EchoTest, AnEndlessLineCostsNoMemoryAndGetsItsErrorBeforeAnyReset) {
  const ServerProcess server;
  TcpClient client = server.Connect();
  const std::int64_t before = server.ResidentBytes();
  std::thread writer([&] {
    const std::string piece(1 << 20, 'x');
    for (int i = 0; i < 64 && client.Send(piece); ++i) {
    }
    client.FinishSending();
  });
  End end = End::kTimeout;
  EXPECT_EQ(client.ReadToEnd(&end), "ERROR line exceeds 65536 bytes\n");
  EXPECT_EQ(end, End::kEof);
  writer.join();
  EXPECT_LT(server.ResidentBytes(), before + (16 << 20));
}

TEST(EchoTest, PeersThatDoNotReadCostNoMoreThanTheLimitEach) {
  constexpr int kConnections = 20;
  constexpr std::int64_t kLimit = 1 << 20;
  for (const char* mode : {"--mode=raw", "--mode=line"}) {
    const ServerProcess server({mode});
    AdminClient admin(server);
    std::vector<TcpClient> clients;
    for (int i = 0; i < kConnections; ++i) {
      clients.push_back(server.Connect({.receive_buffer = 16 << 10}));
    }
    [[maybe_unused]] const std::int64_t before = server.ResidentBytes();
    // Empty lines: in line mode each is answered with ten bytes.
    const std::string bytes(1 << 20, '\n');
    const auto paused = [&] {
      return admin.Stats().total().read_pauses_total() >= kConnections;
    };
    ASSERT_TRUE(Eventually([&] {
      std::size_t sent = 0;
      for (TcpClient& client : clients) sent += client.SendSome(bytes);
      return sent == 0 && paused();
    }));
    const admin::v1::Stats stats = admin.Stats();
    // The answer to the last line may exceed the limit.
    const std::int64_t most = kLimit + 10;
    EXPECT_LE(stats.total().bytes_buffered(), kConnections * most);
    EXPECT_GT(stats.total().bytes_buffered(), kConnections * kLimit / 2);
#ifdef NDEBUG  // a sanitizer's allocator needs more memory
    // In addition, fixed costs: the buffers of workers and RPCs.
    EXPECT_LT(server.ResidentBytes() - before,
              kConnections * kLimit + (4 << 20));
#endif
    // Clients that read receive everything.
    const std::int64_t received = stats.total().bytes_received_total();
    std::int64_t echoed = 0;
    for (TcpClient& client : clients) {
      client.FinishSending();
      echoed += static_cast<std::int64_t>(client.ReadToEnd().size());
    }
    const admin::v1::Stats after = admin.Stats();
    EXPECT_GE(after.total().bytes_received_total(), received);
    EXPECT_EQ(echoed, after.total().bytes_received_total() *
                          (std::string(mode) == "--mode=raw" ? 1 : 10));
    EXPECT_EQ(after.total().bytes_buffered(), 0);
  }
}

#ifdef NDEBUG  // sanitizers keep freed memory
TEST(EchoTest, NothingGrowsWithTheConnectionsThatComeAndGo) {
  const ServerProcess server({"--mode=raw"});
  // Some active clients, and one with pending output, until all memory is
  // freed.
  const std::string bytes(16 << 20, 'x');
  const auto come_and_go = [&](int times) {
    for (int i = 0; i < times; ++i) {
      TcpClient talker = server.Connect();
      ASSERT_TRUE(talker.Send("hello"));
      ASSERT_EQ(talker.Read(5), "hello");
      if (i % 500 != 0) continue;
      TcpClient late = server.Connect({.receive_buffer = 16 << 10});
      const std::size_t sent = late.SendSome(bytes);
      late.FinishSending();
      ASSERT_EQ(late.ReadToEnd().size(), sent);
    }
  };
  come_and_go(1000);
  const std::int64_t before = server.ResidentBytes();
  come_and_go(5000);
  EXPECT_LT(server.ResidentBytes(), before + (2 << 20));
}
#endif

TEST(EchoTest, RunningOutOfDescriptorsDoesNotSpinAndPasses) {
  constexpr int kDescriptors = 128;
  const ServerProcess server({.flags = {}, .descriptor_limit = kDescriptors});
  std::vector<TcpClient> clients;
  // More than it has descriptors for. The kernel completes their handshakes.
  for (int i = 0; i < kDescriptors; ++i) clients.push_back(server.Connect());
  ASSERT_TRUE(Echoes(clients.front(), "let in"));
  // Operators must get in especially now.
  AdminClient admin(server);
  ASSERT_TRUE(Eventually(
      [&] { return admin.Stats().total().accept_errors_total() > 0; }));
  const std::int64_t active = admin.Stats().total().connections_active();
  EXPECT_GT(active, kDescriptors / 2);
  EXPECT_LT(active, kDescriptors);
  ASSERT_TRUE(Echoes(clients.front(), "established ones go on"));

  // The back-off grows to a second; after several tries echod has used almost
  // no CPU time. Waiting for the count takes that long.
  const absl::Duration cpu_before = server.CpuTime();
  const std::int64_t errors_before =
      admin.Stats().total().accept_errors_total();
  grpc::ClientContext context;
  admin::v1::WatchStatsRequest request;
  request.mutable_interval()->set_nanos(200'000'000);
  auto watch = admin.stub().WatchStats(&context, request);
  admin::v1::Stats stats;
  const auto first = [&] {
    watch->Read(&stats);
    return stats.uptime();
  }();
  while (stats.total().accept_errors_total() < errors_before + 8 &&
         watch->Read(&stats)) {
  }
  const double elapsed =
      static_cast<double>(stats.uptime().seconds() - first.seconds()) +
      static_cast<double>(stats.uptime().nanos() - first.nanos()) / 1e9;
  context.TryCancel();
  const double cpu = absl::ToDoubleSeconds(server.CpuTime() - cpu_before);
  EXPECT_LT(cpu, 0.05 * elapsed + 0.1) << "in " << elapsed << " s";

  // Waiting clients are accepted as soon as others leave.
  TcpClient& last = clients.back();
  ASSERT_TRUE(last.Send("waiting\n"));
  for (int i = 0; i < kDescriptors / 2; ++i) {
    clients[static_cast<std::size_t>(i)].Reset();
  }
  EXPECT_EQ(last.Read(17), "YOU SAID waiting\n");
}

TEST(EchoTest, ClosesWhoIsIdle) {
  const ServerProcess server({"--idle_timeout=200ms"});
  TcpClient client = server.Connect();
  ASSERT_TRUE(Echoes(client, "one"));
  EXPECT_EQ(client.WaitForEnd(), End::kEof);
  AdminClient admin(server);
  EXPECT_EQ(admin.Stats().total().connections_closed_total().at("idle_timeout"),
            1);
}

TEST(EchoTest, ResetsTheOneTooMany) {
  const ServerProcess server({"--max_connections=1"});
  TcpClient first = server.Connect();
  ASSERT_TRUE(Echoes(first, "one"));
  TcpClient second = server.Connect();
  EXPECT_EQ(second.WaitForEnd(), End::kReset);
  AdminClient admin(server);
  EXPECT_EQ(
      admin.Stats().total().connections_rejected_total().at("max_connections"),
      1);
}

}  // namespace
}  // namespace echod::e2e
