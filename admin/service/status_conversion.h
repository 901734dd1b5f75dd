// SPDX-License-Identifier: Apache-2.0

#ifndef ADMIN_SERVICE_STATUS_CONVERSION_H_
#define ADMIN_SERVICE_STATUS_CONVERSION_H_

#include <grpcpp/support/status.h>

#include "absl/status/status.h"

namespace echod {

// The one place where a failure becomes gRPC's: the code and the message, and
// in the details a google.rpc.ErrorInfo of the domain `echod` with the reason
// and what is known beside it, and a google.rpc.BadRequest that names the field
// at fault.
grpc::Status ToGrpcStatus(const absl::Status& status);

}  // namespace echod

#endif  // ADMIN_SERVICE_STATUS_CONVERSION_H_
