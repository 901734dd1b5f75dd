// SPDX-License-Identifier: Apache-2.0

#include "admin/server/health_service.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

#include <chrono>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "admin/server/admin_server.h"
#include "admin/testing/fake_data_plane.h"
#include "echo/control/listener_control.h"
#include "gtest/gtest.h"
#include "src/proto/grpc/health/v1/health.grpc.pb.h"

namespace echod {
namespace {

using grpc::health::v1::Health;
using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

void SetDeadline(grpc::ClientContext& context) {
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::seconds(30));
}

class HealthServiceTest : public ::testing::Test {
 protected:
  HealthServiceTest() {
    Show(8080);
    data_plane_.listeners.configured["a"] = {"::", 8080};
    server_ = *AdminServer::Start({.address = "127.0.0.1:0", .description = {}},
                                  data_plane_.AsDataPlane());
    server_->StartServing();
    stub_ = Health::NewStub(grpc::CreateChannel(
        server_->bound_address(), grpc::InsecureChannelCredentials()));
  }

  // Not while the server reads the listeners.
  void Show(int port) {
    data_plane_.listeners.infos["a"] = {
        .id = "a",
        .address = "::",
        .port = port,
        .bound_port = port,
        .bound_address = absl::StrCat("[::]:", port)};
  }
  void MoveTo(int port) {
    Show(port);
    server_->OnListenersChanged();
  }

  grpc::Status Check(const std::string& service,
                     HealthCheckResponse* response) {
    grpc::ClientContext context;
    SetDeadline(context);
    HealthCheckRequest request;
    request.set_service(service);
    return stub_->Check(&context, request, response);
  }

  // One stream.
  class Watch {
   public:
    Watch(Health::Stub& stub, const std::string& service) {
      SetDeadline(context_);
      HealthCheckRequest request;
      request.set_service(service);
      reader_ = stub.Watch(&context_, request);
    }
    ~Watch() { context_.TryCancel(); }

    // UNKNOWN: the stream has ended.
    HealthCheckResponse::ServingStatus Next() {
      HealthCheckResponse response;
      return reader_->Read(&response) ? response.status()
                                      : HealthCheckResponse::UNKNOWN;
    }
    grpc::Status Finish() { return reader_->Finish(); }

   private:
    grpc::ClientContext context_;
    std::unique_ptr<grpc::ClientReader<HealthCheckResponse>> reader_;
  };

  FakeDataPlane data_plane_;
  std::unique_ptr<AdminServer> server_;
  std::unique_ptr<Health::Stub> stub_;
};

TEST_F(HealthServiceTest, AWatchSendsTheStatusAndThenEachChange) {
  Watch pinned(*stub_, "echod.listener/a:8080");
  Watch readiness(*stub_, "readiness");
  Watch serving(*stub_, "");
  for (Watch* watch : {&pinned, &readiness, &serving}) {
    EXPECT_EQ(watch->Next(), HealthCheckResponse::SERVING);
  }
  MoveTo(9090);
  for (Watch* watch : {&pinned, &readiness}) {
    EXPECT_EQ(watch->Next(), HealthCheckResponse::NOT_SERVING);
  }
  MoveTo(8080);
  for (Watch* watch : {&pinned, &readiness}) {
    EXPECT_EQ(watch->Next(), HealthCheckResponse::SERVING);
  }
  server_->SetDraining(/*ready=*/true);
  // It had no change before.
  EXPECT_EQ(serving.Next(), HealthCheckResponse::NOT_SERVING);
  server_->SetFailed("worker 1 failed");
  for (Watch* watch : {&pinned, &readiness}) {
    EXPECT_EQ(watch->Next(), HealthCheckResponse::NOT_SERVING);
  }
}

TEST_F(HealthServiceTest, AServiceThatIsNotKnownMayBecomeKnown) {
  HealthCheckResponse response;
  for (const std::string& service :
       {std::string("echod.listener/b"), std::string("nothing"),
        std::string(60'000, 'a')}) {
    EXPECT_EQ(Check(service, &response).error_code(),
              grpc::StatusCode::NOT_FOUND);
  }
  Watch watch(*stub_, "echod.listener/b");
  EXPECT_EQ(watch.Next(), HealthCheckResponse::SERVICE_UNKNOWN);
  data_plane_.listeners.infos["b"] = {.id = "b"};
  server_->OnListenersChanged();
  EXPECT_EQ(watch.Next(), HealthCheckResponse::SERVING);
  ASSERT_TRUE(Check("echod.listener/b", &response).ok());
  EXPECT_EQ(response.status(), HealthCheckResponse::SERVING);
}

TEST_F(HealthServiceTest, WatchesEndWithTheServerAndNotBefore) {
  auto cancelled = std::make_unique<Watch>(*stub_, "readiness");
  EXPECT_EQ(cancelled->Next(), HealthCheckResponse::SERVING);
  cancelled.reset();
  Watch watch(*stub_, "readiness");
  EXPECT_EQ(watch.Next(), HealthCheckResponse::SERVING);
  server_->Shutdown(absl::Seconds(10));
  EXPECT_EQ(watch.Next(), HealthCheckResponse::UNKNOWN);
  EXPECT_TRUE(watch.Finish().ok());
}

TEST_F(HealthServiceTest, TheLastStatusComesBeforeTheEnd) {
  Watch watch(*stub_, "echod.listener/a");
  EXPECT_EQ(watch.Next(), HealthCheckResponse::SERVING);
  for (int i = 0; i < 100; ++i) {
    MoveTo(9090);
    ASSERT_EQ(watch.Next(), HealthCheckResponse::NOT_SERVING);
    MoveTo(8080);
    ASSERT_EQ(watch.Next(), HealthCheckResponse::SERVING);
  }
  server_->SetDraining(/*ready=*/false);
  server_->Shutdown(absl::Seconds(10));
  EXPECT_EQ(watch.Next(), HealthCheckResponse::NOT_SERVING);
  EXPECT_EQ(watch.Next(), HealthCheckResponse::UNKNOWN);
  EXPECT_TRUE(watch.Finish().ok());
}

}  // namespace
}  // namespace echod
