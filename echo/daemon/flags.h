// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_DAEMON_FLAGS_H_
#define ECHO_DAEMON_FLAGS_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "echo/base/command_line.h"
#include "echo/base/logging.h"
#include "echo/base/socket_address.h"
#include "echo/control/listener_settings.h"

namespace echod {

// What the command line says, checked.
struct DaemonConfig {
  SocketAddress listen_address;
  ListenerSettings settings;
  int worker_count = 1;  // never 0: that has been resolved
  std::int64_t max_total_connections = 0;
  absl::Duration drain_grace_period;
  absl::Duration drain_timeout;
  std::string admin_address;  // address:port
  std::string port_file;      // empty: none
  LogLevel log_level = LogLevel::kInfo;
  std::map<std::string, std::string> flags;  // by name, for people
};

// The end of the path of the file that defines the flags of the process. Those
// of the listener come from the settings table.
inline constexpr char kFlagsFile[] = "echo/daemon/flags.cc";

// The flags of the settings table, which set `settings`; that outlives them.
std::vector<ProgramFlag> SettingFlags(ListenerSettings& settings);

// Checks what the command line has set: the flags of kFlagsFile, and
// `settings`. Errors name the flag and say what it may be. Main thread.
absl::StatusOr<DaemonConfig> ConfigFromFlags(const ListenerSettings& settings);

}  // namespace echod

#endif  // ECHO_DAEMON_FLAGS_H_
