// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_CONTROL_CLOSE_REASON_H_
#define ECHO_CONTROL_CLOSE_REASON_H_

#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"

namespace echod {

// Why a connection ended. Each connection ends for exactly one reason, and is
// counted under it.
enum class CloseReason : std::uint8_t {
  kPeerClosed,         // the peer closed its side, and got all it was owed
  kPeerReset,          // the peer reset the connection, or the network did
  kIdleTimeout,        // nothing came or went for the listener's idle timeout
  kWriteStall,         // the peer took nothing for the listener's stall timeout
  kMaxAge,             // it was as old as the listener allows
  kLineTooLong,        // a line was longer than the listener allows
  kDrained,            // a drain ended it, with all it was owed
  kDrainDeadline,      // a drain's deadline ended it before it had all
  kAdminGraceful,      // an operator closed it, with all it was owed
  kAdminReset,         // an operator reset it
  kShutdown,           // the server stopped without a drain
  kResourceExhausted,  // the system had no memory or epoll watch for it
};

inline constexpr std::size_t kCloseReasonCount =
    static_cast<std::size_t>(CloseReason::kResourceExhausted) + 1;

// The reason's name in statistics, such as `peer_closed`.
constexpr absl::string_view CloseReasonName(CloseReason reason) {
  switch (reason) {
    case CloseReason::kPeerClosed:
      return "peer_closed";
    case CloseReason::kPeerReset:
      return "peer_reset";
    case CloseReason::kIdleTimeout:
      return "idle_timeout";
    case CloseReason::kWriteStall:
      return "write_stall";
    case CloseReason::kMaxAge:
      return "max_age";
    case CloseReason::kLineTooLong:
      return "line_too_long";
    case CloseReason::kDrained:
      return "drained";
    case CloseReason::kDrainDeadline:
      return "drain_deadline";
    case CloseReason::kAdminGraceful:
      return "admin_graceful";
    case CloseReason::kAdminReset:
      return "admin_reset";
    case CloseReason::kShutdown:
      return "shutdown";
    case CloseReason::kResourceExhausted:
      return "resource_exhausted";
  }
  return "unknown";
}

}  // namespace echod

#endif  // ECHO_CONTROL_CLOSE_REASON_H_
