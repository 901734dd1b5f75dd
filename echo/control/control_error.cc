// SPDX-License-Identifier: Apache-2.0

#include "echo/control/control_error.h"

#include <optional>

#include "absl/strings/cord.h"
#include "absl/strings/string_view.h"

namespace echod {
namespace {

constexpr absl::string_view kReasonUrl = "echod/reason";
constexpr absl::string_view kFieldUrl = "echod/field";
constexpr absl::string_view kErrnoUrl = "echod/errno";

void Attach(absl::string_view url, const std::string& value,
            absl::Status& status) {
  if (!value.empty()) status.SetPayload(url, absl::Cord(value));
}

std::string Detached(absl::string_view url, const absl::Status& status) {
  const auto payload = status.GetPayload(url);
  return payload.has_value() ? std::string(*payload) : std::string();
}

}  // namespace

absl::Status ControlError(absl::StatusCode code, absl::string_view message,
                          const ErrorDetail& detail) {
  absl::Status status(code, message);
  Attach(kReasonUrl, detail.reason, status);
  Attach(kFieldUrl, detail.field, status);
  Attach(kErrnoUrl, detail.errno_name, status);
  return status;
}

ErrorDetail GetErrorDetail(const absl::Status& status) {
  return {.reason = Detached(kReasonUrl, status),
          .field = Detached(kFieldUrl, status),
          .errno_name = Detached(kErrnoUrl, status)};
}

absl::Status InvalidFieldError(absl::string_view field,
                               absl::string_view message) {
  return ControlError(absl::StatusCode::kInvalidArgument, message,
                      {.reason = "INVALID_FIELD",
                       .field = std::string(field),
                       .errno_name = ""});
}

absl::Status ServerDrainingError() {
  return ControlError(
      absl::StatusCode::kUnavailable,
      "the server is draining and accepts no more changes",
      {.reason = "SERVER_DRAINING", .field = "", .errno_name = ""});
}

absl::Status ServerStoppedError() {
  return ControlError(
      absl::StatusCode::kUnavailable, "the server has stopped",
      {.reason = "SERVER_STOPPED", .field = "", .errno_name = ""});
}

}  // namespace echod
