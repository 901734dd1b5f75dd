// SPDX-License-Identifier: Apache-2.0

#ifndef ADMIN_SERVER_CHANNELZ_METHOD_H_
#define ADMIN_SERVER_CHANNELZ_METHOD_H_

#include <grpcpp/support/status.h>

#include <string>

namespace echod {

// Answers the unary method `name` of grpc.channelz.v1.Channelz. Request and
// response are serialized. Returns NOT_FOUND for an entity that does not exist,
// and UNIMPLEMENTED for an unknown method. Thread-safe.
grpc::Status AnswerChannelz(const std::string& name, const std::string& request,
                            std::string* response);

}  // namespace echod

#endif  // ADMIN_SERVER_CHANNELZ_METHOD_H_
