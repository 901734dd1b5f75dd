// SPDX-License-Identifier: Apache-2.0

#ifndef ADMIN_SERVER_SERVER_REFLECTION_H_
#define ADMIN_SERVER_SERVER_REFLECTION_H_

#include <grpcpp/support/status.h>

#include <string>
#include <vector>

namespace echod {

// Answers one serialized ServerReflectionRequest by a serialized response, from
// the descriptors that are linked into this program. The bytes are the same in
// grpc.reflection.v1 and v1alpha. `services` are the full names to list. What
// is not found is an answer, too; INVALID_ARGUMENT when the request cannot be
// parsed. Thread-safe.
grpc::Status AnswerReflection(const std::string& request,
                              const std::vector<std::string>& services,
                              std::string* response);

}  // namespace echod

#endif  // ADMIN_SERVER_SERVER_REFLECTION_H_
