// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_BASE_RESOURCE_ERROR_H_
#define ECHO_BASE_RESOURCE_ERROR_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace echod {

// Returns RESOURCE_EXHAUSTED for an operation that failed with `error` (an
// errno). `attempt` names the operation, as in "create an event loop". The
// message names the limit that caused the failure and how to raise it.
// Thread-safe.
absl::Status ResourceError(absl::string_view attempt, int error);

}  // namespace echod

#endif  // ECHO_BASE_RESOURCE_ERROR_H_
