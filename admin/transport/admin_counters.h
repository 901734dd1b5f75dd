// SPDX-License-Identifier: Apache-2.0

#ifndef ADMIN_TRANSPORT_ADMIN_COUNTERS_H_
#define ADMIN_TRANSPORT_ADMIN_COUNTERS_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"

namespace echod {

// Why the admin plane refused or closed a connection.
enum class AdminRejection {
  kMaxConnections,  // the maximum number was open
  kDescriptors,     // no descriptor or kernel memory was available
  kNotHttp2,        // the client sent something else
  kPrefaceTimeout,  // the client sent nothing
  kStreamResets,    // it cancelled RPCs faster than gRPC frees them
  kOpenStreams,     // it had more open RPCs than the server allows
  kControlFrames,   // it sent too many frames without content
  kHeldBytes,       // its unfinished RPCs held too much memory
};
inline constexpr std::size_t kAdminRejectionCount = 8;

// The name of `reason` in statistics.
constexpr absl::string_view AdminRejectionName(AdminRejection reason) {
  switch (reason) {
    case AdminRejection::kMaxConnections:
      return "max_connections";
    case AdminRejection::kDescriptors:
      return "descriptors";
    case AdminRejection::kNotHttp2:
      return "not_http2";
    case AdminRejection::kPrefaceTimeout:
      return "preface_timeout";
    case AdminRejection::kStreamResets:
      return "stream_resets";
    case AdminRejection::kOpenStreams:
      return "open_streams";
    case AdminRejection::kControlFrames:
      return "control_frames";
    case AdminRejection::kHeldBytes:
      return "held_bytes";
  }
  return "";
}

// Statistics of the admin plane's connections. Thread-safe.
struct AdminCounters {
  std::atomic<std::int64_t> accepted{0};
  std::atomic<std::int64_t> active{0};
  std::array<std::atomic<std::int64_t>, kAdminRejectionCount> rejected{};
  std::atomic<std::int64_t> accept_errors{0};
};

}  // namespace echod

#endif  // ADMIN_TRANSPORT_ADMIN_COUNTERS_H_
