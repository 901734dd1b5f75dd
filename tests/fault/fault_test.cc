// SPDX-License-Identifier: Apache-2.0

// The real program when the system refuses a resource: one test per case that
// has failed before, or easily could.

#include <cerrno>
#include <csignal>
#include <optional>
#include <string>
#include <vector>

#include "echo/base/socket_address.h"
#include "gtest/gtest.h"
#include "src/proto/grpc/health/v1/health.grpc.pb.h"
#include "tests/e2e/admin_client.h"
#include "tests/fault/fault_injector.h"
#include "tests/support/conversation.h"
#include "tests/support/eventually.h"
#include "tests/support/http_get.h"
#include "tests/support/server_process.h"
#include "tests/support/tcp_client.h"

namespace echod::testing {
namespace {

using e2e::AdminClient;
using End = TcpClient::End;
using grpc::health::v1::HealthCheckResponse;

class FaultTest : public ::testing::Test {
 protected:
  ServerProcess::Options Options(const std::vector<std::string>& flags = {}) {
    return {.flags = flags, .in_child = injector_.Enter()};
  }

  // Waits until a call has failed.
  bool HasFailed() {
    return Eventually([this] { return injector_.failed() > 0; });
  }

  FaultInjector injector_;
};

// The health status, or nullopt if there is no answer.
std::optional<HealthCheckResponse::ServingStatus> Health(AdminClient& admin) {
  const auto stub = grpc::health::v1::Health::NewStub(admin.channel());
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::seconds(10));
  HealthCheckResponse response;
  const grpc::Status status = stub->Check(&context, {}, &response);
  if (!status.ok()) return std::nullopt;
  return response.status();
}

// Another process of the same user can exhaust the user's epoll watches.
TEST_F(FaultTest, AConnectionThatCannotBeWatchedIsReset) {
  ServerProcess server(Options({"--workers=1"}));
  TcpClient before = server.Connect();
  ASSERT_TRUE(Echoes(before, "before"));
  injector_.Arm({.call = kFault_epoll_ctl, .error = ENOSPC});
  TcpClient unwatched = server.Connect();
  EXPECT_EQ(unwatched.WaitForEnd(), End::kReset);
  EXPECT_TRUE(Echoes(before, "the others live"));
  injector_.Disarm();
  TcpClient after = server.Connect();
  EXPECT_TRUE(Echoes(after, "after"));
  AdminClient admin(server);
  EXPECT_EQ(
      admin.Stats().total().connections_closed_total().at("resource_exhausted"),
      1);
  server.Signal(SIGTERM);
  EXPECT_EQ(server.WaitForExit(), 0);
}

TEST_F(FaultTest, AcceptingThatIsForbiddenLeavesTheServerAlive) {
  ServerProcess server(Options({"--workers=1"}));
  TcpClient before = server.Connect();
  ASSERT_TRUE(Echoes(before, "before"));
  injector_.Arm({.call = kFault_accept4, .error = EPERM, .thread = "echod"});
  TcpClient waiting = server.Connect();
  ASSERT_TRUE(HasFailed());
  EXPECT_TRUE(Echoes(before, "the others live"));
  injector_.Disarm();
  EXPECT_TRUE(Echoes(waiting, "accepted at last"));
  injector_.Arm({.call = kFault_accept4, .error = EPERM, .thread = "echod"});
  const TcpClient never = server.Connect();
  server.Signal(SIGTERM);
  EXPECT_EQ(before.WaitForEnd(), End::kEof);
  server.Signal(SIGTERM);
  EXPECT_EQ(server.WaitForExit(), 1);
}

class LoopFaultTest : public FaultTest,
                      public ::testing::WithParamInterface<std::string> {};

// On the main thread, and on another.
TEST_P(LoopFaultTest, ALoopThatFailsEndsTheServerWithOne) {
  ServerProcess server(Options({"--workers=2", "--drain_timeout=20s"}));
  TcpClient first = server.Connect();
  ASSERT_TRUE(Echoes(first, "on the main loop"));
  TcpClient second = server.Connect();
  ASSERT_TRUE(Echoes(second, "on the other"));
  injector_.Arm({.call = kFault_epoll_wait,
                 .error = ENOMEM,
                 .fails = 1,
                 .thread = GetParam()});
  first.Send("wake ");
  second.Send("up");
  ASSERT_TRUE(HasFailed());
  first.FinishSending();
  second.FinishSending();
  EXPECT_EQ(server.WaitForExit(), 1);
}

INSTANTIATE_TEST_SUITE_P(Loops, LoopFaultTest,
                         ::testing::Values("echod", "worker-1"));

// Health reports it while the connections of other workers drain.
TEST_F(FaultTest, HealthFailsWithAWorker) {
  ServerProcess server(Options(
      {"--workers=2", "--drain_timeout=20s", "--http_address=127.0.0.1:0"}));
  TcpClient lives = server.Connect();
  ASSERT_TRUE(lives.Send("half a"));
  TcpClient dies = server.Connect();
  ASSERT_TRUE(Echoes(dies, "on the other"));
  AdminClient admin(server);
  ASSERT_EQ(Health(admin), HealthCheckResponse::SERVING);
  ASSERT_NE(HttpGet(server.http_address(), "/livez").find("200 OK"),
            std::string::npos);
  injector_.Arm({.call = kFault_epoll_wait,
                 .error = ENOMEM,
                 .fails = 1,
                 .thread = "worker-1"});
  dies.Send("wake up");
  EXPECT_EQ(dies.WaitForEnd(), End::kReset);
  EXPECT_TRUE(Eventually(
      [&] { return Health(admin) == HealthCheckResponse::NOT_SERVING; }));
  const std::string live = HttpGet(server.http_address(), "/livez");
  EXPECT_NE(live.find("503 "), std::string::npos) << live;
  EXPECT_NE(live.find("worker 1 failed: "), std::string::npos) << live;
  ASSERT_TRUE(lives.Send(" line\n"));
  EXPECT_EQ(lives.ReadToEnd(), "YOU SAID half a line\n");
  lives.FinishSending();
  EXPECT_EQ(server.WaitForExit(), 1);
}

// What the worker was to do for it is dropped, and counts as done.
TEST_F(FaultTest, ADeletionIsAnsweredThoughAWorkerFailsMeanwhile) {
  ServerProcess server(Options({"--workers=2", "--drain_timeout=20s"}));
  TcpClient first = server.Connect();
  ASSERT_TRUE(Echoes(first, "on the main loop"));
  TcpClient second = server.Connect();
  ASSERT_TRUE(Echoes(second, "on the other"));
  AdminClient admin(server);
  injector_.Arm({.call = kFault_epoll_wait,
                 .error = ENOMEM,
                 .fails = 1,
                 .thread = "worker-1"});
  admin::v1::DeleteListenerRequest request;
  request.set_name("listeners/default");
  request.mutable_drain()->set_mode(admin::v1::DrainPolicy::MODE_GRACEFUL);
  admin::v1::Listener deleted;
  const grpc::Status status =
      admin.Call(&AdminClient::Stub::DeleteListener, request, &deleted);
  EXPECT_TRUE(status.ok()) << status.error_message();
  ASSERT_TRUE(HasFailed());
  first.FinishSending();
  second.FinishSending();
  EXPECT_EQ(server.WaitForExit(), 1);
}

TEST_F(FaultTest, AnAdminPlaneThatFailsEndsTheServerWithOne) {
  ServerProcess server(Options({"--drain_timeout=20s"}));
  TcpClient client = server.Connect();
  ASSERT_TRUE(client.Send("half a"));
  AdminClient admin(server);
  ASSERT_EQ(Health(admin), HealthCheckResponse::SERVING);
  injector_.Arm({.call = kFault_epoll_wait,
                 .error = ENOMEM,
                 .fails = 1,
                 .thread = "admin-relay"});
  const std::optional<TcpClient> newcomer =
      TcpClient::Connect(*SocketAddress::Parse(server.admin_address()));
  ASSERT_TRUE(HasFailed());
  ASSERT_TRUE(client.Send(" line\n"));
  EXPECT_EQ(client.ReadToEnd(), "YOU SAID half a line\n");
  client.FinishSending();
  EXPECT_EQ(server.WaitForExit(), 1);
}

TEST_F(FaultTest, AnHttpServerThatFailsEndsTheServerWithOne) {
  ServerProcess server(
      Options({"--drain_timeout=20s", "--http_address=127.0.0.1:0"}));
  TcpClient client = server.Connect();
  ASSERT_TRUE(client.Send("half a"));
  injector_.Arm({.call = kFault_epoll_wait,
                 .error = ENOMEM,
                 .fails = 1,
                 .thread = "http"});
  HttpGet(server.http_address(), "/readyz");
  ASSERT_TRUE(HasFailed());
  ASSERT_TRUE(client.Send(" line\n"));
  EXPECT_EQ(client.ReadToEnd(), "YOU SAID half a line\n");
  client.FinishSending();
  EXPECT_EQ(server.WaitForExit(), 1);
}

TEST_F(FaultTest, AnHttpConnectionThatCannotBeWatchedIsClosed) {
  ServerProcess server(Options({"--workers=1", "--http_address=127.0.0.1:0"}));
  ASSERT_NE(HttpGet(server.http_address(), "/readyz").find("200 OK"),
            std::string::npos);
  injector_.Arm({.call = kFault_epoll_ctl, .error = ENOSPC, .thread = "http"});
  HttpGet(server.http_address(), "/readyz", "",
          {.timeout = absl::Milliseconds(100)});
  ASSERT_TRUE(HasFailed());
  TcpClient echo = server.Connect();
  EXPECT_TRUE(Echoes(echo, "the data plane lives"));
  injector_.Disarm();
  const std::string metrics = HttpGet(server.http_address(), "/metrics");
  EXPECT_NE(metrics.find("200 OK"), std::string::npos);
  EXPECT_EQ(metrics.find("echod_http_accept_errors_total 0"),
            std::string::npos);
  server.Signal(SIGTERM);
  EXPECT_EQ(echo.WaitForEnd(), End::kEof);
  EXPECT_EQ(server.WaitForExit(), 0);
}

// A loop without events stands for anything that may hang.
TEST_F(FaultTest, AProcessThatHangsEndsAfterTheDrainsDeadline) {
  ServerProcess server(Options({"--workers=2", "--drain_timeout=100ms"}));
  injector_.Arm({.call = kFault_eventfd_write, .error = EAGAIN});
  server.Signal(SIGTERM);
  EXPECT_EQ(server.WaitForExit(), 1);
  EXPECT_GT(injector_.failed(), 0);
}

TEST_F(FaultTest, ASecondSignalEndsAProcessThatHangs) {
  ServerProcess server(Options({"--workers=2", "--drain_timeout=1h"}));
  TcpClient client = server.Connect();
  ASSERT_TRUE(Echoes(client, "here"));
  injector_.Arm({.call = kFault_eventfd_write, .error = EAGAIN});
  server.Signal(SIGTERM);
  ASSERT_TRUE(HasFailed());
  server.Signal(SIGTERM);
  EXPECT_EQ(server.WaitForExit(), 1);
}

}  // namespace
}  // namespace echod::testing
