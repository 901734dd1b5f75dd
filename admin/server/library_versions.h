// SPDX-License-Identifier: Apache-2.0

#ifndef ADMIN_SERVER_LIBRARY_VERSIONS_H_
#define ADMIN_SERVER_LIBRARY_VERSIONS_H_

#include <string>

namespace echod {

// The versions of the libraries that are linked, such as 1.51.1.
std::string GrpcVersion();
std::string ProtobufVersion();

}  // namespace echod

#endif  // ADMIN_SERVER_LIBRARY_VERSIONS_H_
