// SPDX-License-Identifier: Apache-2.0

#ifndef ADMIN_SERVICE_LISTENER_UPDATE_H_
#define ADMIN_SERVICE_LISTENER_UPDATE_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "echo/control/listener_control.h"
#include "echod/admin/v1/admin.pb.h"

namespace echod {

// What a request asks for, by the rules of field masks (https://aip.dev/134):
// no mask stands for every field that is set, `*` for every field that can be
// changed, and a field that is in the mask but not set gets its default; an
// address, port or mode has none, and must be set. Errors are INVALID_ARGUMENT
// and name the field. Values are checked later, by the
// listener itself.
absl::StatusOr<ListenerUpdate> ParseListenerUpdate(
    const admin::v1::UpdateListenerRequest& request);

// The listener's own error, such as one of `port`, as one of the request's
// `listener.port`.
absl::Status ListenerFieldError(const absl::Status& status);

}  // namespace echod

#endif  // ADMIN_SERVICE_LISTENER_UPDATE_H_
