// SPDX-License-Identifier: Apache-2.0

#ifndef ADMIN_SERVER_SERVER_REFLECTION_H_
#define ADMIN_SERVER_SERVER_REFLECTION_H_

#include <grpcpp/support/status.h>

#include <string>
#include <vector>

namespace echod {

// Answers a serialized ServerReflectionRequest with a serialized response, from
// the descriptors linked into this program. grpc.reflection.v1 and v1alpha use
// the same encoding. `services` are the full names to list. "Not found" is a
// response; a request that cannot be parsed is INVALID_ARGUMENT. Thread-safe.
grpc::Status AnswerReflection(const std::string& request,
                              const std::vector<std::string>& services,
                              std::string* response);

}  // namespace echod

#endif  // ADMIN_SERVER_SERVER_REFLECTION_H_
