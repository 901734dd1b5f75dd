// SPDX-License-Identifier: Apache-2.0

#include "admin/service/status_conversion.h"

#include <cstddef>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "echo/control/control_error.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace echod {
namespace {

// gRPC sends a status in HTTP/2 trailers, whose size clients limit, and a
// message may quote a long request.
constexpr std::size_t kMostMessageBytes = 1000;

std::string Shortened(absl::string_view message) {
  if (message.size() <= kMostMessageBytes) return std::string(message);
  std::size_t size = kMostMessageBytes;
  // Do not cut a UTF-8 character in two.
  while (size > 0 && (message[size] & 0xC0) == 0x80) --size;
  return absl::StrCat(message.substr(0, size), "...");
}

}  // namespace

grpc::Status ToGrpcStatus(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  const ErrorDetail detail = GetErrorDetail(status);
  const std::string message = Shortened(status.message());

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
  // Abseil and gRPC number the codes alike.
  return {static_cast<grpc::StatusCode>(status.code()), message,
          rich.SerializeAsString()};
}

}  // namespace echod
