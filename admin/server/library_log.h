// SPDX-License-Identifier: Apache-2.0

#ifndef ADMIN_SERVER_LIBRARY_LOG_H_
#define ADMIN_SERVER_LIBRARY_LOG_H_

#include "absl/strings/string_view.h"

namespace echod {

enum class LibraryLogLevel { kDebug, kWarning, kError };

// Called on any thread, by several at a time; must not block. The message may
// hold any bytes, also such as clients have sent.
using LibraryLogSink = void (*)(LibraryLogLevel level,
                                absl::string_view library,
                                absl::string_view message);

// Sends the messages of gRPC and protobuf to `sink` instead of to standard
// error. What gRPC says at all is up to its own GRPC_VERBOSITY and GRPC_TRACE:
// by default errors. Before anything else of gRPC is called.
void SendLibraryLogsTo(LibraryLogSink sink);

}  // namespace echod

#endif  // ADMIN_SERVER_LIBRARY_LOG_H_
