// SPDX-License-Identifier: Apache-2.0

#include "echo/daemon/flags.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <set>
#include <utility>

#include "absl/flags/flag.h"
#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "echo/base/command_line.h"
#include "echo/base/cpu_count.h"
#include "echo/base/listen_address.h"
#include "echo/base/log_level.h"
#include "echo/base/named_values.h"
#include "echo/control/control_error.h"
#include "echo/control/listener_id.h"
#include "echo/control/settings_table.h"
#include "echo/server/listener_registry.h"

namespace echod {

// absl finds these two in the namespace of the type.
static bool AbslParseFlag(absl::string_view text, LogLevel* level,
                          std::string* error) {
  const std::optional<LogLevel> named = ValueNamed(kLogLevels, text);
  if (!named.has_value()) {
    *error = absl::StrCat("choose ", JoinedWithOr(NamesIn(kLogLevels)));
    return false;
  }
  *level = *named;
  return true;
}

static std::string AbslUnparseFlag(LogLevel level) {
  return std::string(NameOf(kLogLevels, level));
}

// The value of --check_health.
struct HealthAddress {
  bool given = false;
  std::string text;  // empty: that of the admin service
};

static bool AbslParseFlag(absl::string_view text, HealthAddress* address,
                          std::string* error) {
  *address = {.given = text != "false"};
  if (text == "true" || text == "false") return true;
  const absl::StatusOr<SocketAddress> parsed = SocketAddress::ParseListen(text);
  if (!parsed.ok()) {
    *error =
        "write the admin address of a running echod, such as "
        "127.0.0.1:9901, or leave it out to ask that of --admin_address";
    return false;
  }
  address->text = parsed->ToString();
  return true;
}

static std::string AbslUnparseFlag(const HealthAddress& address) {
  if (!address.text.empty()) return address.text;
  return address.given ? "true" : "false";
}

}  // namespace echod

ABSL_FLAG(
    std::string, config, "",
    "Configuration file, in YAML or JSON, with flags and listeners. Flags "
    "on the command line override it. Default: none.");
ABSL_FLAG(bool, check_config, false,
          "Checks the flags and the file of --config, says what is wrong, and "
          "exits: with 0 if nothing is, otherwise with 2. Default: false.");
ABSL_FLAG(echod::HealthAddress, check_health, {},
          "Asks the admin service of a running echod at this address, or at "
          "--admin_address if there is none, for its health, prints a line, "
          "and exits: with 0 if it is serving, 1 if it is not, and 2 if it "
          "cannot be asked within three seconds. Default: false.");
ABSL_FLAG(std::string, check_health_service, "",
          "The service whose health --check_health asks for. Default: none, "
          "the server as a whole.");
ABSL_FLAG(bool, watch_config, false,
          "Reloads the file of --config whenever it changes, as SIGHUP does. "
          "Default: false.");
ABSL_FLAG(
    std::vector<std::string>, listen, {"[::]:8080"},
    "Address and port to listen on for clients, as address:port, with IPv6 "
    "addresses in brackets. [::], * or an empty address is every address, "
    "IPv4 and IPv6; localhost is 127.0.0.1, or [::1] without IPv4; with "
    "port 0 the kernel chooses. Or unix:/path, a Unix socket. For several "
    "listeners, repeat the flag, or separate them by commas, and give each its "
    "name as name=address; "
    "the one without a name is default. Default: [::]:8080.");
ABSL_FLAG(int, workers, 0,
          "Worker threads, at most 1024. Default: 0, one for each CPU that the "
          "process may use by its affinity and cgroup quota.");
ABSL_FLAG(std::int64_t, max_total_connections, 0,
          "The most open connections of all listeners together, as far as "
          "descriptors suffice; further connections are reset immediately. "
          "Default: 0, no limit.");
ABSL_FLAG(absl::Duration, drain_grace_period, absl::ZeroDuration(),
          "How long a graceful shutdown first keeps accepting while the "
          "server's health check already fails, such as 5s, so that load "
          "balancers notice. "
          "Default: 0.");
ABSL_FLAG(
    absl::Duration, drain_timeout, absl::Seconds(30),
    "How long connections may take to drain in a graceful shutdown before "
    "they are reset, such as 30s. Default: 30s.");
ABSL_FLAG(std::string, admin_address, "127.0.0.1:9901",
          "Address and port of the gRPC admin service, in the format of "
          "--listen. It asks for no credentials: keep it on loopback or on a "
          "trusted network. Default: 127.0.0.1:9901.");
ABSL_FLAG(std::string, http_address, "",
          "Address and port of /metrics, /healthz, /livez and /readyz over "
          "HTTP, in the "
          "format of --listen, such as 127.0.0.1:9902. It asks for no "
          "credentials: keep it on loopback or on a trusted network. Default: "
          "none.");
ABSL_FLAG(echod::LogLevel, log_level, echod::LogLevel::kInfo,
          "The lowest level that is logged to standard error: debug, info, "
          "warning, error or off. Default: info.");
ABSL_FLAG(std::string, access_log, "",
          "File to append a JSON object to for each closed connection; or a "
          "pipe or device, or - for standard output. SIGHUP then opens it "
          "anew instead of shutting echod down. Default: none.");
ABSL_FLAG(std::string, access_log_events, "closed",
          "What the access log has: closed connections (closed), or opened and "
          "closed ones (all). Default: closed.");
ABSL_FLAG(std::string, port_file, "",
          "File to write the bound addresses to, as JSON, once echod is "
          "listening and whenever they change; or a pipe or device, such as "
          "/dev/stdout. Default: none.");

namespace echod {
namespace {

absl::Status BadFlag(absl::string_view flag, absl::string_view problem) {
  return InvalidFieldError(flag, absl::StrCat("flag --", flag, ": ", problem));
}

// Splits `[name=]address`; the name is `default` if there is none.
std::pair<std::string, absl::string_view> SplitName(absl::string_view text) {
  const std::size_t end = text.find_first_of("=:[/");
  if (end == absl::string_view::npos || text[end] != '=') {
    return {"default", text};
  }
  return {std::string(text.substr(0, end)), text.substr(end + 1)};
}

std::string Negative(absl::Duration value) {
  return absl::StrCat(absl::FormatDuration(value),
                      " is negative; choose 0 or more, such as 30s");
}

absl::StatusOr<std::vector<ListenerCreation>> ParseListeners(
    const std::vector<std::string>& texts, const ListenerSettings& settings) {
  if (texts.empty()) {
    return absl::InvalidArgumentError(
        "it names no address; write one, such as [::]:8080");
  }
  std::vector<ListenerCreation> listeners;
  std::set<std::string> names;
  for (const std::string& text : texts) {
    const auto [name, address_text] = SplitName(text);
    if (absl::Status valid = CheckListenerId(name); !valid.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat("the name in '", text, "': ", valid.message()));
    }
    if (!names.insert(name).second) {
      return absl::InvalidArgumentError(
          absl::StrCat("two listeners are named ", name,
                       "; give each its own name, as name=address:port"));
    }
    const absl::StatusOr<ListenAddress> address =
        ListenAddress::Parse(address_text);
    if (!address.ok()) return address.status();
    listeners.push_back({.id = name,
                         .address = address->Host(),
                         .port = address->port(),
                         .settings = settings});
  }
  if (listeners.size() > ListenerRegistry::kMostListeners) {
    return absl::InvalidArgumentError(
        absl::StrCat("there can be ", ListenerRegistry::kMostListeners,
                     " listeners; leave some out"));
  }
  return listeners;
}

}  // namespace

std::vector<ProgramFlag> SettingFlags(ListenerSettings& settings) {
  std::vector<ProgramFlag> flags;
  for (const Setting& setting : SettingsTable()) {
    flags.push_back({.name = std::string(setting.name),
                     .default_value = SettingText(setting, settings),
                     .help = absl::StrCat(SettingHelp(setting), " ",
                                          SettingValues(setting)),
                     .set = [&setting, &settings](absl::string_view text) {
                       return ParseSetting(setting, text, settings);
                     }});
  }
  return flags;
}

absl::StatusOr<DaemonConfig> ConfigFromFlags(const ListenerSettings& settings) {
  DaemonConfig config;
  const absl::StatusOr<SocketAddress> admin =
      SocketAddress::ParseListen(absl::GetFlag(FLAGS_admin_address));
  if (!admin.ok()) return BadFlag("admin_address", admin.status().message());
  config.admin_address = admin->ToString();

  if (const std::string http = absl::GetFlag(FLAGS_http_address);
      !http.empty()) {
    const absl::StatusOr<SocketAddress> parsed =
        SocketAddress::ParseListen(http);
    if (!parsed.ok()) return BadFlag("http_address", parsed.status().message());
    config.http_address = parsed->ToString();
  }

  if (absl::Status valid = ValidateSettings(settings); !valid.ok()) {
    return BadFlag(GetErrorDetail(valid).field, valid.message());
  }
  absl::StatusOr<std::vector<ListenerCreation>> listeners =
      ParseListeners(absl::GetFlag(FLAGS_listen), settings);
  if (!listeners.ok()) return BadFlag("listen", listeners.status().message());
  config.listeners = *std::move(listeners);
  config.settings = settings;

  config.max_total_connections = absl::GetFlag(FLAGS_max_total_connections);
  if (config.max_total_connections < 0) {
    return BadFlag("max_total_connections",
                   absl::StrCat(config.max_total_connections,
                                " is negative; choose 0, which is no limit, "
                                "or more"));
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
    return BadFlag("drain_grace_period", Negative(config.drain_grace_period));
  }
  config.drain_timeout = absl::GetFlag(FLAGS_drain_timeout);
  if (config.drain_timeout < absl::ZeroDuration()) {
    return BadFlag("drain_timeout", Negative(config.drain_timeout));
  }

  config.log_level = absl::GetFlag(FLAGS_log_level);
  config.access_log = absl::GetFlag(FLAGS_access_log);
  if (config.access_log != "-") config.access_log = UserPath(config.access_log);
  const std::string events = absl::GetFlag(FLAGS_access_log_events);
  if (events != "closed" && events != "all") {
    return BadFlag("access_log_events", "choose closed or all");
  }
  config.access_log_opened = events == "all";
  config.port_file = UserPath(absl::GetFlag(FLAGS_port_file));
  config.config_file = UserPath(absl::GetFlag(FLAGS_config));
  config.check_config = absl::GetFlag(FLAGS_check_config);
  if (config.check_config && config.config_file.empty()) {
    return BadFlag("check_config", "name the file to check with --config");
  }
  const HealthAddress health = absl::GetFlag(FLAGS_check_health);
  config.check_health_service = absl::GetFlag(FLAGS_check_health_service);
  if (!std::all_of(config.check_health_service.begin(),
                   config.check_health_service.end(), absl::ascii_isgraph)) {
    return BadFlag("check_health_service",
                   "a name has only printable ASCII characters and no spaces; "
                   "name liveness, readiness or echod.listener/ID");
  }
  if (health.given) {
    config.check_health =
        health.text.empty() ? *admin : *SocketAddress::Parse(health.text);
    if (config.check_health->port() == 0) {
      return BadFlag("check_health",
                     "port 0 is none; write the port of a running echod");
    }
  } else if (!config.check_health_service.empty()) {
    return BadFlag("check_health_service",
                   "add --check_health, which asks for it");
  }
  config.watch_config = absl::GetFlag(FLAGS_watch_config);
  if (config.watch_config && config.config_file.empty()) {
    return BadFlag("watch_config", "name the file to watch with --config");
  }
  config.flags = FlagValues(kFlagsFile);
  for (const Setting& setting : SettingsTable()) {
    config.flags[std::string(setting.name)] = SettingText(setting, settings);
  }
  return config;
}

}  // namespace echod
