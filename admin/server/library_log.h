// SPDX-License-Identifier: Apache-2.0

#ifndef ADMIN_SERVER_LIBRARY_LOG_H_
#define ADMIN_SERVER_LIBRARY_LOG_H_

#include "absl/strings/string_view.h"

namespace echod {

enum class LibraryLogLevel { kDebug, kWarning, kError };

// Called on any thread, concurrently; must not block. The message may contain
// arbitrary bytes, including bytes from clients.
using LibraryLogSink = void (*)(LibraryLogLevel level,
                                absl::string_view library,
                                absl::string_view message);

// Redirects the messages of gRPC and protobuf from standard error to `sink`.
// The variables GRPC_VERBOSITY and GRPC_TRACE control what gRPC logs; by
// default, only errors. Call before any other function of gRPC.
void SendLibraryLogsTo(LibraryLogSink sink);

}  // namespace echod

#endif  // ADMIN_SERVER_LIBRARY_LOG_H_
