// SPDX-License-Identifier: Apache-2.0

#ifndef ADMIN_SERVICE_STATUS_CONVERSION_H_
#define ADMIN_SERVICE_STATUS_CONVERSION_H_

#include <grpcpp/support/status.h>

#include "absl/status/status.h"

namespace echod {

// Converts a status to gRPC's; this is the only place that does. The details
// are a google.rpc.ErrorInfo of the domain `echod` with the reason and the
// errno, and, if a field is invalid, a google.rpc.BadRequest that names it.
grpc::Status ToGrpcStatus(const absl::Status& status);

}  // namespace echod

#endif  // ADMIN_SERVICE_STATUS_CONVERSION_H_
