// SPDX-License-Identifier: Apache-2.0

#ifndef TESTS_E2E_HEALTH_CLIENT_H_
#define TESTS_E2E_HEALTH_CLIENT_H_

#include <grpcpp/client_context.h>

#include <chrono>
#include <memory>
#include <string>

#include "src/proto/grpc/health/v1/health.grpc.pb.h"
#include "tests/e2e/admin_client.h"

namespace echod::e2e {

// The status of a service now; UNKNOWN after an error.
inline grpc::health::v1::HealthCheckResponse::ServingStatus Health(
    AdminClient& admin, const std::string& service) {
  const auto stub = grpc::health::v1::Health::NewStub(admin.channel());
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::seconds(30));
  grpc::health::v1::HealthCheckRequest request;
  request.set_service(service);
  grpc::health::v1::HealthCheckResponse response;
  return stub->Check(&context, request, &response).ok()
             ? response.status()
             : grpc::health::v1::HealthCheckResponse::UNKNOWN;
}

// Watches a service on a stream.
class HealthWatch {
 public:
  HealthWatch(AdminClient& admin, const std::string& service)
      : stub_(grpc::health::v1::Health::NewStub(admin.channel())) {
    grpc::health::v1::HealthCheckRequest request;
    request.set_service(service);
    context_.set_deadline(std::chrono::system_clock::now() +
                          std::chrono::seconds(30));
    reader_ = stub_->Watch(&context_, request);
  }
  ~HealthWatch() { context_.TryCancel(); }
  HealthWatch(const HealthWatch&) = delete;
  HealthWatch& operator=(const HealthWatch&) = delete;

  // The next status; UNKNOWN when the stream has ended.
  grpc::health::v1::HealthCheckResponse::ServingStatus Next() {
    grpc::health::v1::HealthCheckResponse response;
    return reader_->Read(&response)
               ? response.status()
               : grpc::health::v1::HealthCheckResponse::UNKNOWN;
  }

 private:
  std::unique_ptr<grpc::health::v1::Health::Stub> stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReader<grpc::health::v1::HealthCheckResponse>>
      reader_;
};

}  // namespace echod::e2e

#endif  // TESTS_E2E_HEALTH_CLIENT_H_
