// SPDX-License-Identifier: Apache-2.0

#include "admin/client/health_check.h"

#include <arpa/inet.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "echo/base/socket_address.h"
#include "echo/base/unique_fd.h"
#include "gtest/gtest.h"

namespace echod {
namespace {

class HealthCheckTest : public ::testing::Test {
 protected:
  void StartServer(bool with_health) {
    grpc::EnableDefaultHealthCheckService(with_health);
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(),
                             &port_);
    // gRPC starts no server without a service.
    builder.RegisterCallbackGenericService(&other_service_);
    server_ = builder.BuildAndStart();
    ASSERT_NE(server_, nullptr);
    grpc::EnableDefaultHealthCheckService(false);
  }

  HealthQuestion Question(const std::string& service = "",
                          const std::string& host = "127.0.0.1") const {
    return {.address = *SocketAddress::FromHost(
                host, static_cast<std::uint16_t>(port_)),
            .service = service,
            .timeout = absl::Seconds(30)};
  }

  void SetServing(const std::string& service, bool serving) {
    server_->GetHealthCheckService()->SetServingStatus(service, serving);
  }

  // Takes a port that refuses connections or, with `listens`, accepts them
  // without ever answering.
  void TakePort(bool listens) {
    socket_ = UniqueFd(socket(AF_INET, SOCK_STREAM, 0));
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    ASSERT_EQ(bind(socket_.get(), any, size), 0);
    ASSERT_EQ(getsockname(socket_.get(), any, &size), 0);
    ASSERT_EQ(listens ? listen(socket_.get(), 5) : 0, 0);
    port_ = ntohs(address.sin_port);
  }

  int port_ = 0;
  UniqueFd socket_;
  grpc::CallbackGenericService other_service_;
  std::unique_ptr<grpc::Server> server_;
};

TEST_F(HealthCheckTest, AnswersForEachService) {
  StartServer(true);
  SetServing("", true);
  SetServing("readiness", false);
  absl::StatusOr<bool> whole = AskHealth(Question());
  ASSERT_TRUE(whole.ok()) << whole.status();
  EXPECT_TRUE(*whole);
  absl::StatusOr<bool> readiness = AskHealth(Question("readiness"));
  ASSERT_TRUE(readiness.ok()) << readiness.status();
  EXPECT_FALSE(*readiness);
  const absl::Status other = AskHealth(Question("other")).status();
  EXPECT_EQ(other.code(), absl::StatusCode::kNotFound) << other;
  EXPECT_NE(other.message().find("'other'"), std::string::npos) << other;
}

TEST_F(HealthCheckTest, AnUnspecifiedAddressIsThisMachine) {
  StartServer(true);
  for (const char* host : {"0.0.0.0", "::"}) {
    EXPECT_TRUE(AskHealth(Question("", host)).ok()) << host;
  }
}

TEST_F(HealthCheckTest, DoesNotAskThroughAProxy) {
  StartServer(true);
  // Nothing listens there.
  setenv("http_proxy", "http://127.0.0.1:1", 1);
  const absl::StatusOr<bool> answer = AskHealth(Question());
  unsetenv("http_proxy");
  EXPECT_TRUE(answer.ok()) << answer.status();
}

TEST_F(HealthCheckTest, SaysThatThereIsNoHealthService) {
  StartServer(false);
  EXPECT_EQ(AskHealth(Question()).status().code(),
            absl::StatusCode::kUnimplemented);
}

TEST_F(HealthCheckTest, SaysThatNobodyListens) {
  TakePort(false);
  EXPECT_EQ(AskHealth(Question()).status().code(),
            absl::StatusCode::kUnavailable);
}

TEST_F(HealthCheckTest, DoesNotWaitForAServerThatDoesNotAnswer) {
  TakePort(true);
  HealthQuestion question = Question();
  question.timeout = absl::Milliseconds(200);
  const absl::Status status = AskHealth(question).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded) << status;
  EXPECT_NE(status.message().find("200ms"), std::string::npos) << status;
}

}  // namespace
}  // namespace echod
