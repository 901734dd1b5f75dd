// SPDX-License-Identifier: Apache-2.0

#ifndef ADMIN_SERVICE_LISTENER_UPDATE_H_
#define ADMIN_SERVICE_LISTENER_UPDATE_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "echo/control/listener_control.h"
#include "echod/admin/v1/admin.pb.h"

namespace echod {

// Parses a request by the rules of field masks (https://aip.dev/134). No mask
// means every field that is set, `*` every mutable field. A field that is in
// the mask and not set gets its default; `address`, `port` and `mode` have none
// and must be set. Errors are INVALID_ARGUMENT and name the field. The listener
// itself checks the values later. Thread-safe.
absl::StatusOr<ListenerUpdate> ParseListenerUpdate(
    const admin::v1::UpdateListenerRequest& request);

// Rewrites an error of the listener for the request: `port` becomes
// `listener.port`.
absl::Status ListenerFieldError(const absl::Status& status);

}  // namespace echod

#endif  // ADMIN_SERVICE_LISTENER_UPDATE_H_
