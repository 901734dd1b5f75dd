// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_CONTROL_LISTENER_SETTINGS_H_
#define ECHO_CONTROL_LISTENER_SETTINGS_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace echod {

// How a connection's bytes are answered.
enum class EchoMode : std::uint8_t {
  kLine,  // `YOU SAID <line>` to each line
  kRaw,   // every byte back, unchanged (RFC 862)
};

// The part of a listener that connections obey. Plain values; copied freely.
struct ListenerSettings {
  EchoMode mode = EchoMode::kLine;
  std::int64_t max_connections = 0;              // 0: no limit
  std::int64_t max_connections_per_address = 0;  // 0: no limit
  std::int64_t max_line_bytes = 64 * 1024;
  std::int64_t max_buffered_bytes = 1024 * 1024;
  absl::Duration idle_timeout = absl::ZeroDuration();         // 0: never
  absl::Duration max_connection_age = absl::ZeroDuration();   // 0: no limit
  absl::Duration write_stall_timeout = absl::ZeroDuration();  // 0: never
  int backlog = 4096;

  friend bool operator==(const ListenerSettings&,
                         const ListenerSettings&) = default;
};

// OK, or INVALID_ARGUMENT that names the first field out of its bounds and says
// what they are.
absl::Status ValidateSettings(const ListenerSettings& settings);

}  // namespace echod

#endif  // ECHO_CONTROL_LISTENER_SETTINGS_H_
