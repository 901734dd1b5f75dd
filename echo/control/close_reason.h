// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_CONTROL_CLOSE_REASON_H_
#define ECHO_CONTROL_CLOSE_REASON_H_

#include <cstddef>
#include <cstdint>
#include <iterator>

#include "absl/strings/string_view.h"
#include "echo/base/named_values.h"

namespace echod {

// Why a connection ended. Each connection ends for exactly one reason, and is
// counted under it.
enum class CloseReason : std::uint8_t {
  kPeerClosed,         // the peer closed its side, and got all it was owed
  kPeerReset,          // the peer or the network reset the connection
  kIdleTimeout,        // no byte came or went for the listener's idle timeout
  kWriteStall,         // the peer took nothing for the listener's stall timeout
  kMaxAge,             // it reached the age that the listener allows
  kLineTooLong,        // a line was longer than the listener allows
  kDrained,            // a drain ended it, after all it was owed was sent
  kDrainDeadline,      // a drain's deadline cut it off before that
  kAdminGraceful,      // an operator closed it, after all it was owed was sent
  kAdminReset,         // an operator reset it
  kShutdown,           // the server stopped without a drain
  kResourceExhausted,  // the system had no memory or epoll watch for it
};

// Their names in statistics, in the order of the enumerators.
inline constexpr NamedValue<CloseReason> kCloseReasons[] = {
    {CloseReason::kPeerClosed, "peer_closed"},
    {CloseReason::kPeerReset, "peer_reset"},
    {CloseReason::kIdleTimeout, "idle_timeout"},
    {CloseReason::kWriteStall, "write_stall"},
    {CloseReason::kMaxAge, "max_age"},
    {CloseReason::kLineTooLong, "line_too_long"},
    {CloseReason::kDrained, "drained"},
    {CloseReason::kDrainDeadline, "drain_deadline"},
    {CloseReason::kAdminGraceful, "admin_graceful"},
    {CloseReason::kAdminReset, "admin_reset"},
    {CloseReason::kShutdown, "shutdown"},
    {CloseReason::kResourceExhausted, "resource_exhausted"},
};

inline constexpr std::size_t kCloseReasonCount = std::size(kCloseReasons);

static_assert(
    [] {
      for (std::size_t i = 0; i < kCloseReasonCount; ++i) {
        if (kCloseReasons[i].value != static_cast<CloseReason>(i)) return false;
      }
      return true;
    }(),
    "a reason's row stands where counters by reason have its count");

// The reason's name in statistics, such as `peer_closed`.
constexpr absl::string_view CloseReasonName(CloseReason reason) {
  return kCloseReasons[static_cast<std::size_t>(reason)].name;
}

}  // namespace echod

#endif  // ECHO_CONTROL_CLOSE_REASON_H_
