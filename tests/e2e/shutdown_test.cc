// SPDX-License-Identifier: Apache-2.0

// Shutdown: signals, drains, exit statuses.

#include <atomic>
#include <csignal>
#include <cstddef>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "src/proto/grpc/health/v1/health.grpc.pb.h"
#include "tests/e2e/admin_client.h"
#include "tests/e2e/health_client.h"
#include "tests/support/conversation.h"
#include "tests/support/eventually.h"
#include "tests/support/server_process.h"
#include "tests/support/tcp_client.h"

namespace echod::e2e {
namespace {

using grpc::health::v1::HealthCheckResponse;
using testing::Echoes;
using testing::Eventually;
using testing::ServerProcess;
using testing::TcpClient;
using End = TcpClient::End;

class SignalTest : public ::testing::TestWithParam<int> {};

TEST_P(SignalTest, DrainsAndEndsWithZero) {
  ServerProcess server;
  TcpClient idle = server.Connect();
  ASSERT_TRUE(Echoes(idle, "one"));
  TcpClient busy = server.Connect();
  ASSERT_TRUE(busy.Send("half "));
  AdminClient admin(server);
  ASSERT_TRUE(Eventually(
      [&] { return admin.Stats().total().bytes_received_total() == 9; }));
  server.Signal(GetParam());
  EXPECT_EQ(idle.WaitForEnd(), End::kEof);
  ASSERT_TRUE(busy.Send("a line\n"));
  EXPECT_EQ(busy.ReadToEnd(), "YOU SAID half a line\n");
  idle.FinishSending();
  busy.FinishSending();
  EXPECT_EQ(server.WaitForExit(), 0);
}

INSTANTIATE_TEST_SUITE_P(Signals, SignalTest,
                         ::testing::Values(SIGTERM, SIGINT, SIGHUP, SIGQUIT));

// When a terminal closes, both the shell and the kernel send one.
TEST(ShutdownTest, HangingUpTwiceCutsNobodyOff) {
  ServerProcess server;
  TcpClient client = server.Connect();
  ASSERT_TRUE(client.Send("half "));
  AdminClient admin(server);
  ASSERT_TRUE(Eventually(
      [&] { return admin.Stats().total().bytes_received_total() == 5; }));
  TcpClient idle = server.Connect();
  ASSERT_TRUE(Echoes(idle, "one"));
  server.Signal(SIGHUP);
  EXPECT_EQ(idle.WaitForEnd(), End::kEof);  // the drain has started
  idle.FinishSending();
  server.Signal(SIGHUP);
  server.Signal(SIGTERM);
  ASSERT_TRUE(client.Send("a line\n"));
  EXPECT_EQ(client.ReadToEnd(), "YOU SAID half a line\n");
  client.FinishSending();
  EXPECT_EQ(server.WaitForExit(), 0);
}

// The process sets an alarm while it drains; others may send SIGALRM, too.
TEST(ShutdownTest, AlarmsFromOutsideCutNobodyOff) {
  ServerProcess server;
  TcpClient client = server.Connect();
  ASSERT_TRUE(client.Send("half "));
  AdminClient admin(server);
  ASSERT_TRUE(Eventually(
      [&] { return admin.Stats().total().bytes_received_total() == 5; }));
  TcpClient idle = server.Connect();
  ASSERT_TRUE(Echoes(idle, "one"));
  server.Signal(SIGTERM);
  EXPECT_EQ(idle.WaitForEnd(), End::kEof);  // the drain has started
  idle.FinishSending();
  for (int i = 0; i < 5; ++i) {
    server.Signal(SIGALRM);
    // The signal has been handled when the server answers.
    EXPECT_EQ(admin.Stats().total().connections_accepted_total(), 2);
  }
  ASSERT_TRUE(client.Send("a line\n"));
  EXPECT_EQ(client.ReadToEnd(), "YOU SAID half a line\n");
  client.FinishSending();
  EXPECT_EQ(server.WaitForExit(), 0);
}

TEST(ShutdownTest, SignalsThatAskForNothingDoNothing) {
  ServerProcess server({.in_child = [] { signal(SIGHUP, SIG_IGN); }});
  TcpClient client = server.Connect();
  for (const int signal : {SIGHUP, SIGUSR1, SIGUSR2, SIGPIPE, SIGXFSZ}) {
    server.Signal(signal);
  }
  EXPECT_TRUE(Echoes(client, "one"));
  client.FinishSending();
  EXPECT_EQ(client.WaitForEnd(), End::kEof);
  server.Signal(SIGTERM);
  EXPECT_EQ(server.WaitForExit(), 0);
}

TEST(ShutdownTest, HealthFailsAtOnceWhileTheGracePeriodStillAccepts) {
  ServerProcess server({"--drain_grace_period=1h"});
  AdminClient admin(server);
  for (const char* service : {"", "echod.admin.v1.AdminService"}) {
    HealthWatch watch(admin, service);
    EXPECT_EQ(watch.Next(), HealthCheckResponse::SERVING);
  }
  HealthWatch watch(admin, "");
  ASSERT_EQ(watch.Next(), HealthCheckResponse::SERVING);
  server.Signal(SIGTERM);
  EXPECT_EQ(watch.Next(), HealthCheckResponse::NOT_SERVING);
  HealthWatch service(admin, "echod.admin.v1.AdminService");
  EXPECT_EQ(service.Next(), HealthCheckResponse::NOT_SERVING);
  TcpClient late = server.Connect();
  EXPECT_TRUE(Echoes(late, "still accepted"));
  server.Signal(SIGTERM);
  EXPECT_EQ(server.WaitForExit(), 1);
  EXPECT_EQ(late.WaitForEnd(), End::kReset);
}

TEST(ShutdownTest, TheDeadlineCutsOffWhoDoesNotRead) {
  ServerProcess server({"--mode=raw", "--drain_timeout=200ms"});
  TcpClient client = server.Connect({.receive_buffer = 16 << 10});
  const std::string bytes(64 << 20, 'x');
  AdminClient admin(server);
  ASSERT_TRUE(Eventually([&] {
    client.SendSome(bytes);
    return admin.Stats().total().read_pauses_total() > 0;
  }));
  server.Signal(SIGTERM);
  EXPECT_EQ(server.WaitForExit(), 1);
  EXPECT_EQ(client.WaitForEnd(), End::kReset);
}

TEST(ShutdownTest, TheDrainRpcDoesTheSameAndWatchesEndCleanly) {
  ServerProcess server;
  AdminClient admin(server);
  grpc::ClientContext watch_context;
  watch_context.set_deadline(std::chrono::system_clock::now() +
                             std::chrono::seconds(30));
  auto watch =
      admin.stub().WatchStats(&watch_context, admin::v1::WatchStatsRequest());
  admin::v1::Stats stats;
  ASSERT_TRUE(watch->Read(&stats));

  TcpClient client = server.Connect();
  ASSERT_TRUE(Echoes(client, "one"));
  admin::v1::Server drained;
  const grpc::Status status =
      admin.Call(&AdminClient::Stub::DrainServer,
                 admin::v1::DrainServerRequest(), &drained);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(drained.state(), admin::v1::Server::STATE_DRAINING);
  EXPECT_EQ(client.WaitForEnd(), End::kEof);
  const grpc::Status again =
      admin.Call(&AdminClient::Stub::DrainServer,
                 admin::v1::DrainServerRequest(), &drained);
  EXPECT_EQ(again.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(Reason(again), "SERVER_DRAINING");
  client.FinishSending();
  while (watch->Read(&stats)) {
  }
  EXPECT_TRUE(watch->Finish().ok());
  EXPECT_EQ(server.WaitForExit(), 0);
}

TEST(ShutdownTest, ASignalDoesNotCutShortTheDrainThatAnOperatorHasBegun) {
  ServerProcess server;
  AdminClient admin(server);
  TcpClient client = server.Connect();
  ASSERT_TRUE(Echoes(client, "one"));
  ASSERT_TRUE(client.Send("half "));
  ASSERT_TRUE(Eventually(
      [&] { return admin.Stats().total().bytes_received_total() == 9; }));
  admin::v1::Server drained;
  ASSERT_TRUE(admin
                  .Call(&AdminClient::Stub::DrainServer,
                        admin::v1::DrainServerRequest(), &drained)
                  .ok());
  server.Signal(SIGTERM);
  // The listener closes 100 ms after the drain has started. A server that
  // stopped immediately would have reset the connection by then.
  ASSERT_TRUE(Eventually(
      [&] { return !TcpClient::Connect(server.echo_address()).has_value(); }));
  ASSERT_TRUE(client.Send("a line\n"));
  EXPECT_EQ(client.ReadToEnd(), "YOU SAID half a line\n");
  client.FinishSending();
  EXPECT_EQ(server.WaitForExit(), 0);
}

// Each of five thousand busy connections receives complete answers and a FIN.
TEST(ShutdownTest, ADrainUnderLoadLosesNoByte) {
  constexpr int kThreads = 8;
  constexpr int kConnectionsEach = 625;
  ServerProcess server({"--mode=raw"});
  std::atomic<int> rounds{0};
  std::atomic<int> cut{0};     // partial or wrong answers
  std::atomic<int> resets{0};  // connections that did not end with a FIN
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      std::vector<TcpClient> clients;
      for (int j = 0; j < kConnectionsEach; ++j) {
        clients.push_back(server.Connect());
      }
      for (int round = 0; !clients.empty(); ++round) {
        // Until the FIN, the client receives what it sent. The FIN may replace
        // an answer, but must not interrupt one.
        const std::string sent = absl::StrCat("message ", round, ";");
        std::set<int> ended;
        for (TcpClient& client : clients) client.Send(sent);
        for (TcpClient& client : clients) {
          const std::string echoed = client.Read(sent.size());
          if (echoed == sent) continue;
          if (!echoed.empty()) ++cut;
          if (client.WaitForEnd() != End::kEof) ++resets;
          ended.insert(client.fd());
        }
        std::erase_if(clients, [&](const TcpClient& client) {
          return ended.count(client.fd()) > 0;
        });
        ++rounds;
      }
    });
  }
  EXPECT_TRUE(Eventually([&] { return rounds >= 3 * kThreads; }));
  server.Signal(SIGTERM);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(server.WaitForExit(), 0);
  EXPECT_EQ(cut, 0);
  EXPECT_EQ(resets, 0);
}

}  // namespace
}  // namespace echod::e2e
