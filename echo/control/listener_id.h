// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_CONTROL_LISTENER_ID_H_
#define ECHO_CONTROL_LISTENER_ID_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace echod {

// OK, or INVALID_ARGUMENT that says what a listener's id may be. Thread-safe.
absl::Status CheckListenerId(absl::string_view id);

}  // namespace echod

#endif  // ECHO_CONTROL_LISTENER_ID_H_
