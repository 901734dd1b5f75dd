// SPDX-License-Identifier: Apache-2.0

#include "admin/client/health_check.h"

#include <memory>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "grpc/support/time.h"
#include "grpcpp/grpcpp.h"
#include "src/proto/grpc/health/v1/health.grpc.pb.h"

namespace echod {
namespace {

using grpc::health::v1::Health;
using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

// For gRPC, which would otherwise look for a name in the address.
std::string Target(const SocketAddress& address) {
  const SocketAddress reachable = address.is_unspecified()
                                      ? SocketAddress::Loopback(address.port())
                                      : address;
  return absl::StrCat(reachable.is_ipv6() ? "ipv6:" : "ipv4:",
                      reachable.ToString());
}

absl::Status NoAnswer(const grpc::Status& status,
                      const HealthQuestion& question) {
  const std::string address = question.address.ToString();
  switch (status.error_code()) {
    case grpc::StatusCode::NOT_FOUND:
      return absl::NotFoundError(absl::StrCat(
          address, " has no health service named '", question.service,
          "'; name liveness, readiness or echod.listener/ID, or "
          "none for the server as a whole"));
    case grpc::StatusCode::UNIMPLEMENTED:
      return absl::UnimplementedError(absl::StrCat(
          address, " has no grpc.health.v1.Health; give an admin address"));
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return absl::DeadlineExceededError(
          absl::StrCat(address, " does not answer within ",
                       absl::FormatDuration(question.timeout)));
    default:
      return absl::UnavailableError(
          absl::StrCat("cannot ask ", address, " (", status.error_message(),
                       "); give the --admin_address of a running echod"));
  }
}

}  // namespace

absl::StatusOr<bool> AskHealth(const HealthQuestion& question) {
  grpc::ChannelArguments arguments;
  // The environment may name a proxy for the network.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  const std::unique_ptr<Health::Stub> health = Health::NewStub(
      grpc::CreateCustomChannel(Target(question.address),
                                grpc::InsecureChannelCredentials(), arguments));
  grpc::ClientContext context;
  // A deadline of the wall clock would move when that is set.
  context.set_deadline(gpr_time_add(
      gpr_now(GPR_CLOCK_MONOTONIC),
      gpr_time_from_millis(absl::ToInt64Milliseconds(question.timeout),
                           GPR_TIMESPAN)));
  HealthCheckRequest request;
  request.set_service(question.service);
  HealthCheckResponse response;
  const grpc::Status status = health->Check(&context, request, &response);
  if (!status.ok()) return NoAnswer(status, question);
  return response.status() == HealthCheckResponse::SERVING;
}

}  // namespace echod
