// SPDX-License-Identifier: Apache-2.0

#ifndef ADMIN_TESTING_ADMIN_SERVER_FIXTURE_H_
#define ADMIN_TESTING_ADMIN_SERVER_FIXTURE_H_

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/time/time.h"
#include "admin/server/admin_server.h"
#include "admin/testing/fake_data_plane.h"
#include "echod/admin/v1/admin.grpc.pb.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "gtest/gtest.h"
#include "src/proto/grpc/health/v1/health.grpc.pb.h"

namespace echod {

// The admin plane from a client's view: a real server on an ephemeral port,
// with a fake data plane.
class AdminServerTest : public ::testing::Test {
 protected:
  using Stub = admin::v1::AdminService::Stub;

  AdminServerTest() {
    for (const char* id : {"a", "b", "c"}) {
      data_plane_.listeners.infos[id] = {
          .id = id, .address = "::", .etag = "e-1"};
    }
    for (std::uint64_t number = 1; number <= 5; ++number) {
      data_plane_.connections.infos[number] = {.number = number,
                                               .listener_id = "a",
                                               .remote_address = "[::1]:7",
                                               .tcp_info = TcpInfo()};
    }
    data_plane_.server.info = {.start_time = absl::FromUnixSeconds(1000),
                               .state = ServerInfo::State::kServing,
                               .worker_count = 3};
    auto started = AdminServer::Start(
        {.address = "127.0.0.1:0",
         .description = {.version = "1.2.3",
                         .hostname = "here",
                         .config =
                             [] {
                               return ServerConfig{.flags = {{"mode", "line"}},
                                                   .running = "mode: line\n"};
                             }}},
        data_plane_.AsDataPlane());
    EXPECT_TRUE(started.ok()) << started.status();
    server_ = *std::move(started);
    channel_ = grpc::CreateChannel(server_->bound_address(),
                                   grpc::InsecureChannelCredentials());
    stub_ = admin::v1::AdminService::NewStub(channel_);
  }

  static void SetDeadline(grpc::ClientContext& context) {
    context.set_deadline(std::chrono::system_clock::now() +
                         std::chrono::seconds(30));
  }

  template <typename Request, typename Response>
  grpc::Status Call(grpc::Status (Stub::*method)(grpc::ClientContext*,
                                                 const Request&, Response*),
                    const Request& request, Response* response) {
    grpc::ClientContext context;
    SetDeadline(context);
    return (stub_.get()->*method)(&context, request, response);
  }

  grpc::health::v1::HealthCheckResponse::ServingStatus Health(
      const std::string& service) {
    auto health = grpc::health::v1::Health::NewStub(channel_);
    grpc::ClientContext context;
    SetDeadline(context);
    grpc::health::v1::HealthCheckRequest request;
    request.set_service(service);
    grpc::health::v1::HealthCheckResponse response;
    EXPECT_TRUE(health->Check(&context, request, &response).ok());
    return response.status();
  }

  static google::rpc::ErrorInfo Info(const grpc::Status& status) {
    google::rpc::Status rich;
    EXPECT_TRUE(rich.ParseFromString(status.error_details()));
    EXPECT_EQ(rich.code(), static_cast<int>(status.error_code()));
    google::rpc::ErrorInfo info;
    EXPECT_TRUE(rich.details_size() > 0 && rich.details(0).UnpackTo(&info));
    EXPECT_EQ(info.domain(), "echod");
    return info;
  }

  static std::string Field(const grpc::Status& status) {
    google::rpc::Status rich;
    EXPECT_TRUE(rich.ParseFromString(status.error_details()));
    google::rpc::BadRequest bad;
    EXPECT_TRUE(rich.details_size() == 2 && rich.details(1).UnpackTo(&bad));
    return bad.field_violations(0).field();
  }

  FakeDataPlane data_plane_;
  std::unique_ptr<AdminServer> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<Stub> stub_;
};

}  // namespace echod

#endif  // ADMIN_TESTING_ADMIN_SERVER_FIXTURE_H_
