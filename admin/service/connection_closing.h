// SPDX-License-Identifier: Apache-2.0

#ifndef ADMIN_SERVICE_CONNECTION_CLOSING_H_
#define ADMIN_SERVICE_CONNECTION_CLOSING_H_

#include "absl/status/statusor.h"
#include "echo/control/connection_control.h"
#include "echod/admin/v1/admin.pb.h"

namespace echod {

// Reads a mode. INVALID_ARGUMENT that names `mode` if it is not valid.
absl::StatusOr<CloseMode> ParseCloseMode(
    admin::v1::CloseConnectionRequest::Mode mode);

// Reads a request. INVALID_ARGUMENT that names the field if it is not valid,
// also if it selects all connections without saying so.
absl::StatusOr<ConnectionClosing> ParseConnectionClosing(
    const admin::v1::CloseConnectionsRequest& request);

admin::v1::CloseConnectionsResponse ToProto(ClosedConnections& closed);

}  // namespace echod

#endif  // ADMIN_SERVICE_CONNECTION_CLOSING_H_
