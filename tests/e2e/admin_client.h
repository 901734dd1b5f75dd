// SPDX-License-Identifier: Apache-2.0

#ifndef TESTS_E2E_ADMIN_CLIENT_H_
#define TESTS_E2E_ADMIN_CLIENT_H_

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

#include <chrono>
#include <memory>
#include <string>

#include "absl/time/time.h"
#include "echod/admin/v1/admin.grpc.pb.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "tests/support/server_process.h"

namespace echod::e2e {

// The generated client of the admin API.
class AdminClient {
 public:
  using Stub = admin::v1::AdminService::Stub;

  explicit AdminClient(const testing::ServerProcess& server)
      : channel_(grpc::CreateChannel(server.admin_address(),
                                     grpc::InsecureChannelCredentials())),
        stub_(admin::v1::AdminService::NewStub(channel_)) {}

  const std::shared_ptr<grpc::Channel>& channel() const { return channel_; }
  Stub& stub() { return *stub_; }

  // Calls a method, with a deadline.
  template <typename Request, typename Response>
  grpc::Status Call(grpc::Status (Stub::*method)(grpc::ClientContext*,
                                                 const Request&, Response*),
                    const Request& request, Response* response,
                    absl::Duration timeout = absl::Seconds(30)) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() +
                         absl::ToChronoMilliseconds(timeout));
    return (stub_.get()->*method)(&context, request, response);
  }

  admin::v1::Stats Stats() {
    admin::v1::Stats stats;
    Call(&Stub::GetStats, admin::v1::GetStatsRequest(), &stats);
    return stats;
  }

  admin::v1::Listener Listener() {
    admin::v1::GetListenerRequest request;
    request.set_name("listeners/default");
    admin::v1::Listener listener;
    Call(&Stub::GetListener, request, &listener);
    return listener;
  }

  grpc::Status MoveTo(int port, admin::v1::Listener* moved = nullptr) {
    admin::v1::UpdateListenerRequest request;
    request.mutable_listener()->set_name("listeners/default");
    request.mutable_listener()->set_port(port);
    admin::v1::Listener ignored;
    return Call(&Stub::UpdateListener, request,
                moved != nullptr ? moved : &ignored);
  }

 private:
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<Stub> stub_;
};

// The reason in an error's google.rpc.ErrorInfo; empty if it has none, or one
// of another domain than `echod`.
inline std::string Reason(const grpc::Status& status) {
  google::rpc::Status rich;
  rich.ParseFromString(status.error_details());
  for (const auto& detail : rich.details()) {
    google::rpc::ErrorInfo info;
    if (detail.UnpackTo(&info) && info.domain() == "echod") {
      return info.reason();
    }
  }
  return "";
}

// The field in an error's google.rpc.BadRequest.
inline std::string Field(const grpc::Status& status) {
  google::rpc::Status rich;
  rich.ParseFromString(status.error_details());
  for (const auto& detail : rich.details()) {
    google::rpc::BadRequest bad;
    if (detail.UnpackTo(&bad)) return bad.field_violations(0).field();
  }
  return "";
}

}  // namespace echod::e2e

#endif  // TESTS_E2E_ADMIN_CLIENT_H_
