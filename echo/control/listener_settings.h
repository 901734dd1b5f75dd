// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_CONTROL_LISTENER_SETTINGS_H_
#define ECHO_CONTROL_LISTENER_SETTINGS_H_

#include <cstdint>

#include "absl/time/time.h"
#include "echo/control/echo_mode.h"

namespace echod {

// How a listener treats its connections. Plain values; copied freely. The
// initializers are the defaults; settings_table.h says all else about each.
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

}  // namespace echod

#endif  // ECHO_CONTROL_LISTENER_SETTINGS_H_
