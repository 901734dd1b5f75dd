// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_CONTROL_LISTENER_SETTINGS_H_
#define ECHO_CONTROL_LISTENER_SETTINGS_H_

#include "absl/status/status.h"
#include "echo/control/server_control.h"

namespace echod {

// OK, or INVALID_ARGUMENT that names the first field out of its bounds and says
// what they are.
absl::Status ValidateSettings(const ListenerSettings& settings);

// `settings` with what `update` sets.
ListenerSettings MergeSettings(ListenerSettings settings,
                               const ListenerUpdate& update);

}  // namespace echod

#endif  // ECHO_CONTROL_LISTENER_SETTINGS_H_
