// SPDX-License-Identifier: Apache-2.0

#ifndef ADMIN_SERVER_CHANNELZ_METHOD_H_
#define ADMIN_SERVER_CHANNELZ_METHOD_H_

#include <grpcpp/support/status.h>

#include <string>

namespace echod {

// Answers the unary method `name` of grpc.channelz.v1.Channelz: a serialized
// request by a serialized response. What does not exist is NOT_FOUND; a method
// that channelz does not have is UNIMPLEMENTED. Thread-safe.
grpc::Status AnswerChannelz(const std::string& name, const std::string& request,
                            std::string* response);

}  // namespace echod

#endif  // ADMIN_SERVER_CHANNELZ_METHOD_H_
