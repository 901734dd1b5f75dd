#include "admin/status_conversion.h"

#include <string>

#include "echo/control_error.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace echod {

grpc::Status ToGrpcStatus(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  const ErrorDetail detail = GetErrorDetail(status);
  const std::string message(status.message());

  google::rpc::Status rich;
  rich.set_code(static_cast<int>(status.code()));
  rich.set_message(message);
  google::rpc::ErrorInfo info;
  info.set_domain("echod");
  info.set_reason(detail.reason.empty() ? "INTERNAL" : detail.reason);
  if (!detail.errno_name.empty()) {
    (*info.mutable_metadata())["errno"] = detail.errno_name;
  }
  rich.add_details()->PackFrom(info);
  if (!detail.field.empty()) {
    google::rpc::BadRequest bad_request;
    auto* violation = bad_request.add_field_violations();
    violation->set_field(detail.field);
    violation->set_description(message);
    rich.add_details()->PackFrom(bad_request);
  }
  // Abseil's codes are gRPC's by definition.
  return {static_cast<grpc::StatusCode>(status.code()), message,
          rich.SerializeAsString()};
}

}  // namespace echod
