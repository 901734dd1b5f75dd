// SPDX-License-Identifier: Apache-2.0

#ifndef ADMIN_TRANSPORT_ADMIN_COUNTERS_H_
#define ADMIN_TRANSPORT_ADMIN_COUNTERS_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"

namespace echod {

// Why the admin plane refused a connection, or closed it on its own account.
enum class AdminRejection {
  kMaxConnections,  // there were as many as there may be
  kDescriptors,     // there was no descriptor or no memory of the kernel's
  kNotHttp2,        // what came is something else
  kPrefaceTimeout,  // nothing came
  kStreamResets,    // its calls were cancelled faster than gRPC forgets them
  kOpenStreams,     // it had more calls open than the server announces
  kControlFrames,   // a flood of frames that carry nothing
  kHeldBytes,       // its calls kept too much of what it sent in memory
};
inline constexpr std::size_t kAdminRejectionCount = 8;

// As figures name it.
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

// The figures of the admin plane's transport. Thread-safe.
struct AdminCounters {
  std::atomic<std::int64_t> accepted{0};
  std::atomic<std::int64_t> active{0};
  std::array<std::atomic<std::int64_t>, kAdminRejectionCount> rejected{};
  std::atomic<std::int64_t> accept_errors{0};
};

}  // namespace echod

#endif  // ADMIN_TRANSPORT_ADMIN_COUNTERS_H_
