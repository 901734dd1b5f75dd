// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_CONTROL_CONTROL_ERROR_H_
#define ECHO_CONTROL_CONTROL_ERROR_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace echod {

// What a machine may want to know of a failure, beside its code and its
// message. It travels in the payloads of an absl::Status.
struct ErrorDetail {
  std::string reason;      // UPPER_SNAKE_CASE, such as ADDRESS_IN_USE
  std::string field;       // the field of the request at fault, or empty
  std::string errno_name;  // such as EADDRINUSE, or empty
};

// A status of this code and message that carries `detail`. Thread-safe.
absl::Status ControlError(absl::StatusCode code, absl::string_view message,
                          const ErrorDetail& detail);

// The detail that `status` carries; empty strings where it has none.
ErrorDetail GetErrorDetail(const absl::Status& status);

// INVALID_ARGUMENT that names `field`, with the reason INVALID_FIELD.
absl::Status InvalidFieldError(absl::string_view field,
                               absl::string_view message);

// UNAVAILABLE with the reason SERVER_DRAINING.
absl::Status ServerDrainingError();

// UNAVAILABLE with the reason SERVER_STOPPED.
absl::Status ServerStoppedError();

}  // namespace echod

#endif  // ECHO_CONTROL_CONTROL_ERROR_H_
