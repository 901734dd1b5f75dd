// SPDX-License-Identifier: Apache-2.0

#include "echo/daemon/flags.h"

#include <cstdint>
#include <utility>

#include "absl/flags/flag.h"
#include "absl/flags/marshalling.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "echo/base/command_line.h"
#include "echo/base/cpu_count.h"
#include "echo/control/control_error.h"
#include "echo/control/listener_settings.h"

namespace echod {

// Found by absl through the types' namespace.
static bool AbslParseFlag(absl::string_view text, EchoMode* mode,
                          std::string* error) {
  if (text == "line") {
    *mode = EchoMode::kLine;
  } else if (text == "raw") {
    *mode = EchoMode::kRaw;
  } else {
    *error = "choose line or raw";
    return false;
  }
  return true;
}

static std::string AbslUnparseFlag(EchoMode mode) {
  return mode == EchoMode::kLine ? "line" : "raw";
}

static bool AbslParseFlag(absl::string_view text, LogLevel* level,
                          std::string* error) {
  for (const auto& [name, value] :
       {std::pair<absl::string_view, LogLevel>("debug", LogLevel::kDebug),
        {"info", LogLevel::kInfo},
        {"warning", LogLevel::kWarning},
        {"error", LogLevel::kError},
        {"off", LogLevel::kOff}}) {
    if (text == name) {
      *level = value;
      return true;
    }
  }
  *error = "choose debug, info, warning, error or off";
  return false;
}

static std::string AbslUnparseFlag(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarning:
      return "warning";
    case LogLevel::kError:
      return "error";
    case LogLevel::kOff:
      return "off";
  }
  return "";
}

}  // namespace echod

ABSL_FLAG(std::string, listen, "[::]:8080",
          "Where to accept clients, as address:port, IPv6 in brackets. [::], * "
          "or nothing is every address, IPv4 too; localhost is 127.0.0.1, or "
          "[::1] where there is no IPv4; port 0 lets the kernel choose. "
          "Default: [::]:8080.");
ABSL_FLAG(echod::EchoMode, mode, echod::EchoMode::kLine,
          "line answers YOU SAID <line> to each line; raw sends every byte "
          "back (RFC 862). Default: line.");
ABSL_FLAG(int, workers, 0,
          "Worker threads. Default: 0, as many as the CPUs that this process "
          "may use, its affinity and cgroup quota considered.");
ABSL_FLAG(std::int64_t, max_connections, 0,
          "The most open connections of the listener; further connections are "
          "reset immediately. Default: 0, no limit but that of descriptors.");
ABSL_FLAG(std::int64_t, max_connections_per_address, 0,
          "The most open connections of one client address; further ones are "
          "reset immediately. Default: 0, no limit.");
ABSL_FLAG(std::int64_t, max_total_connections, 0,
          "The most open connections of all listeners together; further ones "
          "are reset immediately. Default: 0, no limit but that of "
          "descriptors.");
ABSL_FLAG(std::int64_t, max_line_bytes, 65536,
          "The longest line in line mode, in bytes without its end; a longer "
          "one gets an error, and its connection ends. Default: 65536.");
ABSL_FLAG(std::int64_t, max_buffered_bytes, 1048576,
          "The most bytes of a connection's echo that wait for the client to "
          "take them; it is not read while there is no room for more. Default: "
          "1048576 (1 MiB).");
ABSL_FLAG(absl::Duration, idle_timeout, absl::ZeroDuration(),
          "A connection on which no byte came or went for so long is closed, "
          "such as 30s or 5m. Default: 0, never.");
ABSL_FLAG(
    absl::Duration, max_connection_age, absl::ZeroDuration(),
    "A connection that is older is closed gracefully, such as 1h, so that "
    "clients come back to where a load balancer sends them now. Default: "
    "0, no limit.");
ABSL_FLAG(
    absl::Duration, write_stall_timeout, absl::ZeroDuration(),
    "A connection whose echo waits, and whose client takes nothing for so "
    "long, is reset, such as 1m. Default: 0, never.");
ABSL_FLAG(absl::Duration, drain_grace_period, absl::ZeroDuration(),
          "On SIGTERM: how long to go on accepting while health checks already "
          "fail, such as 5s, so that load balancers notice. Default: 0.");
ABSL_FLAG(absl::Duration, drain_timeout, absl::Seconds(30),
          "On SIGTERM: how long connections may take to end before they are "
          "cut off, such as 30s. Default: 30s.");
ABSL_FLAG(std::string, admin_address, "127.0.0.1:9901",
          "Where the gRPC admin service listens, written as for --listen. It "
          "asks for no credentials: keep it on loopback or in "
          "a trusted network. Default: 127.0.0.1:9901.");
ABSL_FLAG(echod::LogLevel, log_level, echod::LogLevel::kInfo,
          "The least that is logged to standard error: debug, info, warning, "
          "error or off. Default: info.");
ABSL_FLAG(std::string, port_file, "",
          "Write the bound addresses to this file, as JSON, once everything "
          "accepts, and whenever they change. A pipe or device is written to, "
          "such as /dev/stdout. Default: none.");

namespace echod {
namespace {

absl::Status BadFlag(absl::string_view flag, absl::string_view problem) {
  return absl::InvalidArgumentError(
      absl::StrCat("flag --", flag, ": ", problem));
}

}  // namespace

absl::StatusOr<DaemonConfig> ConfigFromFlags() {
  DaemonConfig config;
  absl::StatusOr<SocketAddress> listen =
      SocketAddress::ParseListen(absl::GetFlag(FLAGS_listen));
  if (!listen.ok()) return BadFlag("listen", listen.status().message());
  config.listen_address = *listen;

  const absl::StatusOr<SocketAddress> admin =
      SocketAddress::ParseListen(absl::GetFlag(FLAGS_admin_address));
  if (!admin.ok()) return BadFlag("admin_address", admin.status().message());
  config.admin_address = admin->ToString();

  config.settings.mode = absl::GetFlag(FLAGS_mode);
  config.settings.max_connections = absl::GetFlag(FLAGS_max_connections);
  config.settings.max_line_bytes = absl::GetFlag(FLAGS_max_line_bytes);
  config.settings.max_buffered_bytes = absl::GetFlag(FLAGS_max_buffered_bytes);
  config.settings.max_connections_per_address =
      absl::GetFlag(FLAGS_max_connections_per_address);
  config.settings.idle_timeout = absl::GetFlag(FLAGS_idle_timeout);
  config.settings.max_connection_age = absl::GetFlag(FLAGS_max_connection_age);
  config.settings.write_stall_timeout =
      absl::GetFlag(FLAGS_write_stall_timeout);
  if (absl::Status valid = ValidateSettings(config.settings); !valid.ok()) {
    return BadFlag(GetErrorDetail(valid).field, valid.message());
  }

  config.max_total_connections = absl::GetFlag(FLAGS_max_total_connections);
  if (config.max_total_connections < 0) {
    return BadFlag("max_total_connections", "it cannot be less than 0");
  }

  constexpr int kMostWorkers = 1024;
  const int workers = absl::GetFlag(FLAGS_workers);
  if (workers < 0 || workers > kMostWorkers) {
    return BadFlag("workers",
                   absl::StrCat(workers, " is out of bounds; choose 1 to ",
                                kMostWorkers, ", or 0 for one for each CPU"));
  }
  config.worker_count = workers > 0 ? workers : UsableCpus();

  config.drain_grace_period = absl::GetFlag(FLAGS_drain_grace_period);
  if (config.drain_grace_period < absl::ZeroDuration()) {
    return BadFlag("drain_grace_period", "it cannot be less than 0");
  }
  config.drain_timeout = absl::GetFlag(FLAGS_drain_timeout);
  if (config.drain_timeout < absl::ZeroDuration()) {
    return BadFlag("drain_timeout", "it cannot be less than 0");
  }

  config.log_level = absl::GetFlag(FLAGS_log_level);
  config.port_file = UserPath(absl::GetFlag(FLAGS_port_file));
  config.flags = FlagValues(kFlagsFile);
  return config;
}

}  // namespace echod
