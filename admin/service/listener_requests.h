// SPDX-License-Identifier: Apache-2.0

#ifndef ADMIN_SERVICE_LISTENER_REQUESTS_H_
#define ADMIN_SERVICE_LISTENER_REQUESTS_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "echo/control/listener_control.h"
#include "echod/admin/v1/admin.pb.h"

namespace echod {

// Requests that change listeners. Errors are INVALID_ARGUMENT and name the
// field. The data plane checks the values later. Thread-safe.

// A setting that is not set gets its default; `address` and `port` must be set.
absl::StatusOr<ListenerCreation> ParseListenerCreation(
    const admin::v1::CreateListenerRequest& request);

absl::StatusOr<ListenerPause> ParseListenerPause(
    const admin::v1::PauseListenerRequest& request);
absl::StatusOr<ListenerPause> ParseListenerPause(
    const admin::v1::ResumeListenerRequest& request);

absl::StatusOr<ListenerDeletion> ParseListenerDeletion(
    const admin::v1::DeleteListenerRequest& request);

// Parses by the rules of field masks (https://aip.dev/134). No mask
// means every field that is set, `*` every mutable field. A field that is in
// the mask and not set gets its default; `address`, `port` and `mode` have none
// and must be set.
absl::StatusOr<ListenerUpdate> ParseListenerUpdate(
    const admin::v1::UpdateListenerRequest& request);

// Rewrites an error of the data plane for the request: `port` becomes
// `listener.port`, and `id` `listener_id`.
absl::Status ListenerFieldError(const absl::Status& status);

}  // namespace echod

#endif  // ADMIN_SERVICE_LISTENER_REQUESTS_H_
