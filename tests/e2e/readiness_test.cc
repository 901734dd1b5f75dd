// SPDX-License-Identifier: Apache-2.0

// What health checks answer while clients are to come, and while they are not.

#include <csignal>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "echo/base/socket_address.h"
#include "gtest/gtest.h"
#include "src/proto/grpc/health/v1/health.grpc.pb.h"
#include "tests/e2e/admin_client.h"
#include "tests/e2e/health_client.h"
#include "tests/support/conversation.h"
#include "tests/support/eventually.h"
#include "tests/support/http_get.h"
#include "tests/support/server_process.h"
#include "tests/support/tcp_client.h"

namespace echod::e2e {
namespace {

using grpc::health::v1::HealthCheckResponse;
using testing::Echoes;
using testing::Eventually;
using testing::ServerProcess;
using testing::TcpClient;
using Stub = AdminClient::Stub;

constexpr auto kServing = HealthCheckResponse::SERVING;
constexpr auto kNotServing = HealthCheckResponse::NOT_SERVING;

class ReadinessTest : public ::testing::Test {
 protected:
  void Start(const std::string& flag = "--drain_grace_period=0") {
    server_.emplace(
        ServerProcess::Options{.flags = {"--http_address=127.0.0.1:0", flag}});
    admin_.emplace(*server_);
    pinned_ =
        absl::StrCat("echod.listener/default:", server_->echo_address().port());
  }

  std::string Http(const std::string& path) {
    const std::string answer = testing::HttpGet(server_->http_address(), path);
    const std::size_t body = answer.find("\r\n\r\n");
    EXPECT_EQ(absl::StartsWith(answer, "HTTP/1.1 200 "),
              absl::EndsWith(answer, "\r\n\r\nok\n"));
    return body == std::string::npos ? "" : answer.substr(body + 4);
  }

  // Before the answer to what has changed it.
  void ExpectReady() {
    for (const std::string& service :
         {std::string("readiness"), std::string("echod.listener/default"),
          pinned_}) {
      EXPECT_EQ(Health(*admin_, service), kServing) << service;
    }
    EXPECT_EQ(Http("/readyz"), "ok\n");
  }
  void ExpectNotReady(const std::string& why) {
    for (const std::string& service :
         {std::string("readiness"), std::string("echod.listener/default"),
          pinned_}) {
      EXPECT_EQ(Health(*admin_, service), kNotServing) << service;
    }
    EXPECT_EQ(Http("/readyz"), why);
  }
  // Whatever becomes of the listeners.
  void ExpectServing() {
    for (const char* service :
         {"", "echod.admin.v1.AdminService", "liveness"}) {
      EXPECT_EQ(Health(*admin_, service), kServing) << service;
    }
    EXPECT_EQ(Http("/healthz"), "ok\n");
    EXPECT_EQ(Http("/livez"), "ok\n");
  }

  bool Create(const std::string& id, admin::v1::Listener* listener) {
    admin::v1::CreateListenerRequest request;
    request.set_listener_id(id);
    request.mutable_listener()->set_address("127.0.0.1");
    request.mutable_listener()->set_port(listener->bound_port());
    return admin_->Call(&Stub::CreateListener, request, listener).ok();
  }
  bool MoveTo(const std::string& id, const std::string& address, int port,
              admin::v1::Listener* moved) {
    admin::v1::UpdateListenerRequest request;
    request.mutable_listener()->set_name("listeners/" + id);
    request.mutable_listener()->set_address(address);
    request.mutable_listener()->set_port(port);
    request.mutable_update_mask()->add_paths("address");
    request.mutable_update_mask()->add_paths("port");
    return admin_->Call(&Stub::UpdateListener, request, moved).ok();
  }

  std::optional<ServerProcess> server_;
  std::optional<AdminClient> admin_;
  std::string pinned_;
};

TEST_F(ReadinessTest, SigtermKeepsItUntilTheListenersClose) {
  Start("--drain_grace_period=1h");
  ExpectReady();
  ExpectServing();
  HealthWatch serving(*admin_, "");
  HealthWatch readiness(*admin_, "readiness");
  EXPECT_EQ(serving.Next(), kServing);
  EXPECT_EQ(readiness.Next(), kServing);
  server_->Signal(SIGTERM);
  // Who learns of it only from here is told at once.
  EXPECT_EQ(serving.Next(), kNotServing);
  EXPECT_EQ(Http("/healthz"), "echod is draining\n");
  // Others send clients when there is no other server for them.
  ExpectReady();
  EXPECT_EQ(Health(*admin_, "liveness"), kServing);
  TcpClient late = server_->Connect();
  EXPECT_TRUE(Echoes(late, "still accepted"));
  server_->Signal(SIGTERM);
  EXPECT_EQ(readiness.Next(), kNotServing);
  EXPECT_EQ(server_->WaitForExit(), 1);
}

TEST_F(ReadinessTest, ItEndsWhenTheListenersClose) {
  Start();
  TcpClient client = server_->Connect();
  ASSERT_TRUE(client.Send("half "));
  ASSERT_TRUE(Eventually(
      [&] { return admin_->Stats().total().bytes_received_total() == 5; }));
  HealthWatch readiness(*admin_, "readiness");
  HealthWatch pinned(*admin_, pinned_);
  EXPECT_EQ(readiness.Next(), kServing);
  EXPECT_EQ(pinned.Next(), kServing);
  server_->Signal(SIGTERM);
  EXPECT_EQ(readiness.Next(), kNotServing);
  EXPECT_EQ(pinned.Next(), kNotServing);
  ExpectNotReady("listener default has closed\n");
  // The connection drains, which is no failure.
  EXPECT_EQ(Health(*admin_, "liveness"), kServing);
  EXPECT_EQ(Http("/livez"), "ok\n");
  ASSERT_TRUE(client.Send("a line\n"));
  EXPECT_EQ(client.ReadToEnd(), "YOU SAID half a line\n");
  client.FinishSending();
  EXPECT_EQ(server_->WaitForExit(), 0);
}

TEST_F(ReadinessTest, DrainServerEndsItAtOnce) {
  Start("--drain_grace_period=1h");
  admin::v1::Server drained;
  ASSERT_TRUE(
      admin_
          ->Call(&Stub::DrainServer, admin::v1::DrainServerRequest(), &drained)
          .ok());
  ExpectNotReady("echod is draining\n");
  EXPECT_EQ(Health(*admin_, ""), kNotServing);
  EXPECT_EQ(Health(*admin_, "liveness"), kServing);
  TcpClient late = server_->Connect();
  EXPECT_TRUE(Echoes(late, "still accepted"));
}

TEST_F(ReadinessTest, AListenerThatLeavesItsAddressTakesItAlong) {
  Start();
  const int port = server_->echo_address().port();
  admin::v1::Listener moved;
  HealthWatch readiness(*admin_, "readiness");
  EXPECT_EQ(readiness.Next(), kServing);
  ASSERT_TRUE(MoveTo("default", "127.0.0.2", port, &moved));
  ExpectNotReady(absl::StrCat("listener default accepts on 127.0.0.2:", port,
                              ", and not, as configured, on 127.0.0.1:0\n"));
  ExpectServing();
  EXPECT_EQ(readiness.Next(), kNotServing);
  ASSERT_TRUE(MoveTo("default", "127.0.0.1", port, &moved));
  ExpectReady();
  EXPECT_EQ(readiness.Next(), kServing);
}

TEST_F(ReadinessTest, AServiceWithAPortIsOfThatPort) {
  Start();
  admin::v1::Listener extra;
  ASSERT_TRUE(Create("extra", &extra));
  const std::string pinned =
      absl::StrCat("echod.listener/extra:", extra.bound_port());
  HealthWatch watch(*admin_, pinned);
  EXPECT_EQ(watch.Next(), kServing);
  admin::v1::Listener moved = extra;
  // The kernel might choose the same port once more.
  for (int host = 2; moved.bound_port() == extra.bound_port(); ++host) {
    ASSERT_TRUE(MoveTo("extra", absl::StrCat("127.0.0.", host), 0, &moved));
  }
  EXPECT_EQ(Health(*admin_, pinned), kNotServing);
  EXPECT_EQ(Health(*admin_, "echod.listener/extra"), kServing);
  EXPECT_EQ(Health(*admin_,
                   absl::StrCat("echod.listener/extra:", moved.bound_port())),
            kServing);
  EXPECT_EQ(watch.Next(), kNotServing);
}

TEST_F(ReadinessTest, APausedOrDeletedListenerIsNotReady) {
  Start();
  admin::v1::Listener listener;
  admin::v1::PauseListenerRequest pause;
  pause.set_name("listeners/default");
  ASSERT_TRUE(admin_->Call(&Stub::PauseListener, pause, &listener).ok());
  ExpectNotReady("listener default is paused\n");
  ExpectServing();
  admin::v1::ResumeListenerRequest resume;
  resume.set_name("listeners/default");
  ASSERT_TRUE(admin_->Call(&Stub::ResumeListener, resume, &listener).ok());
  ExpectReady();

  admin::v1::DeleteListenerRequest deletion;
  deletion.set_name("listeners/default");
  ASSERT_TRUE(admin_->Call(&Stub::DeleteListener, deletion, &listener).ok());
  ExpectNotReady("listener default has been deleted\n");
  ExpectServing();
  ASSERT_TRUE(Create("default", &listener));
  ExpectReady();
}

TEST_F(ReadinessTest, ListenersThatOperatorsAddDoNotCount) {
  Start();
  EXPECT_EQ(Health(*admin_, "echod.listener/extra"),
            HealthCheckResponse::UNKNOWN);
  admin::v1::Listener listener;
  ASSERT_TRUE(Create("extra", &listener));
  EXPECT_EQ(Health(*admin_, "echod.listener/extra"), kServing);
  admin::v1::PauseListenerRequest pause;
  pause.set_name("listeners/extra");
  ASSERT_TRUE(admin_->Call(&Stub::PauseListener, pause, &listener).ok());
  EXPECT_EQ(Health(*admin_, "echod.listener/extra"), kNotServing);
  ExpectReady();
}

}  // namespace
}  // namespace echod::e2e
