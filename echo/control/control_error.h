// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_CONTROL_CONTROL_ERROR_H_
#define ECHO_CONTROL_CONTROL_ERROR_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace echod {

// What programs may want to know about a failure besides its code and message.
// Carried in the payloads of an absl::Status.
struct ErrorDetail {
  std::string reason;      // UPPER_SNAKE_CASE, such as ADDRESS_IN_USE
  std::string field;       // the invalid field of the request, or empty
  std::string errno_name;  // such as EADDRINUSE, or empty
};

// Returns a status of this code and message that carries `detail`. All
// functions here are thread-safe.
absl::Status ControlError(absl::StatusCode code, absl::string_view message,
                          const ErrorDetail& detail);

// Returns the detail that `status` carries; fields that it lacks are empty.
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
