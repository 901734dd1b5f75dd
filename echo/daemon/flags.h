// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_DAEMON_FLAGS_H_
#define ECHO_DAEMON_FLAGS_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "echo/base/command_line.h"
#include "echo/base/log_level.h"
#include "echo/base/socket_address.h"
#include "echo/base/version.h"
#include "echo/control/listener_control.h"
#include "echo/control/listener_settings.h"

namespace echod {

// What the command line and the configuration file say, checked.
struct DaemonConfig {
  std::vector<ListenerCreation> listeners;
  ListenerSettings settings;  // of listeners that do not have their own
  // Whether `listeners` is only what --listen defaults to.
  bool listens_by_default = false;
  int worker_count = 1;  // never 0: that has been resolved
  std::int64_t max_total_connections = 0;
  absl::Duration drain_grace_period;
  absl::Duration drain_timeout;
  std::string admin_address;  // address:port
  std::string http_address;   // likewise; empty: none
  std::string access_log;     // a path, or -; empty: none
  bool access_log_opened = false;
  std::string port_file;    // empty: none
  std::string config_file;  // empty: none
  bool check_config = false;
  std::optional<SocketAddress> check_health;  // whom to ask, instead of serving
  std::string check_health_service;           // empty: all
  bool watch_config = false;
  LogLevel log_level = LogLevel::kInfo;
  std::string version = kVersion;            // what the server says it is
  std::map<std::string, std::string> flags;  // by name, for people
};

// The end of the path of the file that defines the flags of the process. Those
// of the listener come from the settings table.
inline constexpr char kFlagsFile[] = "echo/daemon/flags.cc";

// The flags of the settings table, which set `settings`; that outlives them.
std::vector<ProgramFlag> SettingFlags(ListenerSettings& settings);

// Checks the flags of kFlagsFile, and `settings`. An error names the first that
// is wrong, in its text and as its field, and says what it may be. For one
// thread at a time.
absl::StatusOr<DaemonConfig> ConfigFromFlags(const ListenerSettings& settings);

}  // namespace echod

#endif  // ECHO_DAEMON_FLAGS_H_
