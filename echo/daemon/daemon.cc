// SPDX-License-Identifier: Apache-2.0

#include "echo/daemon/daemon.h"

#include <unistd.h>

#include <cstdlib>
#include <optional>
#include <set>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "echo/base/clock.h"
#include "echo/base/log_level.h"
#include "echo/base/logging.h"
#include "echo/base/named_values.h"
#include "echo/config/running_config.h"
#include "echo/control/listener_control.h"
#include "echo/control/reply.h"
#include "echo/control/server_control.h"
#include "echo/daemon/pod_description.h"

namespace echod {
namespace {

// How long RPCs may take to end after the data plane has stopped.
constexpr absl::Duration kAdminShutdownTimeout = absl::Seconds(1);

// How long HTTP clients may take to read the last answers.
constexpr absl::Duration kHttpFlushTimeout = absl::Milliseconds(500);

// How long after its deadline the process exits by force.
constexpr absl::Duration kEndMargin = absl::Seconds(2);

// How long to wait for the access log to accept its last records.
constexpr absl::Duration kAccessLogFlushPatience = absl::Seconds(1);

std::string Hostname() {
  char name[256] = {};
  gethostname(name, sizeof name - 1);
  return name;
}

// The error of a part that a flag configures. Where the system lacks something,
// the flag is not to blame.
absl::Status FlagError(absl::string_view flag, const absl::Status& error) {
  if (absl::IsResourceExhausted(error)) return error;
  return absl::Status(error.code(), absl::StrCat(flag, ": ", error.message()));
}

}  // namespace

Daemon::Daemon(DaemonConfig config, std::unique_ptr<ConfigLoader> loader,
               std::map<std::string, ListenSocket> inherited,
               std::unique_ptr<EventLoop> loop,
               std::shared_ptr<AccessLog> access_log)
    : config_(std::move(config)),
      loader_(std::move(loader)),
      loop_(std::move(loop)),
      access_log_(std::move(access_log)),
      flags_(config_.flags),
      server_(*loop_, SystemClock(), Options(std::move(inherited))) {}

absl::Status Daemon::Start() {
  absl::Status started = WatchSignals();
  if (started.ok()) started = StartServer();
  if (started.ok()) started = StartAdmin();
  if (started.ok() && !config_.http_address.empty()) started = StartHttp();
  if (!started.ok()) return started;
  admin_->StartServing();
  if (!config_.config_file.empty()) started = StartReloader();
  if (started.ok() && !config_.port_file.empty()) started = StartPortFile();
  if (started.ok()) LogAddresses();
  return started;
}

absl::Status Daemon::WatchSignals() {
  auto requests =
      EndRequests::Watch(*loop_, {.drain = [this] { OnDrainRequested(); },
                                  .stop = [this] { OnStopRequested(); },
                                  .hangup = [this] { OnHangup(); }});
  if (!requests.ok()) return requests.status();
  end_requests_ = *std::move(requests);
  // Standard output cannot be opened anew.
  if (access_log_ != nullptr && config_.access_log != "-") {
    hangup_.Add([this] { access_log_->Reopen(); });
  }
  if (!config_.config_file.empty()) {
    hangup_.Add([this] { reloader_->Reload(); });
  }
  return hangup_.has_listeners() ? EndRequests::NoteHangups()
                                 : absl::OkStatus();
}

absl::Status Daemon::StartServer() {
  absl::Status started = server_.Start();
  if (started.ok()) return started;
  const std::string& file = config_.config_file;
  return FlagError(file.empty() ? "flag --listen" : file, started);
}

absl::Status Daemon::StartAdmin() {
  const PodEnvironment environment = ReadPodEnvironment(std::getenv);
  for (const std::string& problem : environment.problems) LogWarning(problem);
  absl::StatusOr<std::unique_ptr<AdminServer>> admin = AdminServer::Start(
      {.address = config_.admin_address,
       .description = {.version = config_.version,
                       .hostname = Hostname(),
                       .pod = environment.pod,
                       .config = [this] { return Config(); }},
       .listener = {.on_failed =
                        [this] {
                          loop_->Post([this] {
                            OnAdminFailed("the gRPC admin service failed");
                          });
                        }}},
      {.listeners = server_, .connections = server_, .server = server_});
  if (!admin.ok()) return FlagError("flag --admin_address", admin.status());
  admin_ = *std::move(admin);
  return absl::OkStatus();
}

absl::Status Daemon::StartHttp() {
  auto metrics = MetricsServer::Start(
      {.address = config_.http_address,
       .version = config_.version,
       .on_failed =
           [this] {
             loop_->Post([this] { OnAdminFailed("the HTTP server failed"); });
           }},
      server_, admin_->counters(), admin_->health());
  if (!metrics.ok()) return FlagError("flag --http_address", metrics.status());
  metrics_ = *std::move(metrics);
  return absl::OkStatus();
}

void Daemon::LogAddresses() const {
  for (const ListenerInfo& listener : server_.ListListeners()) {
    LogInfo(absl::StrCat("listener ", listener.id,
                         listener.state == ListenerInfo::State::kPaused
                             ? " is paused on "
                             : " accepts on ",
                         listener.bound_address));
  }
  LogInfo(
      absl::StrCat("the admin service accepts on ", admin_->bound_address()));
  if (metrics_ != nullptr) {
    LogInfo(
        absl::StrCat("the HTTP server accepts on ", metrics_->bound_address()));
  }
}

int Daemon::Run() {
  const absl::Status ended = loop_->Run();
  if (!ended.ok()) {
    LogError(absl::StrCat("the main loop failed: ", ended.message(),
                          "; resetting all connections and exiting"));
    admin_->SetFailed(absl::StrCat("the main loop failed: ", ended.message()));
    server_.StopNow();
  }
  admin_->SetStopped();
  const bool clean = ended.ok() && !admin_failed_ && server_.DrainedCleanly();
  // gRPC's shutdown has no bound of its own, and its threads may be stuck.
  EndByForceAfter(kAdminShutdownTimeout + kAccessLogFlushPatience + kEndMargin,
                  clean ? 0 : kExitCutOff);
  // Last, so that operators can watch the drain.
  admin_->Shutdown(kAdminShutdownTimeout);
  if (metrics_ != nullptr) metrics_->Stop(kHttpFlushTimeout);
  if (access_log_ != nullptr) access_log_->Stop(kAccessLogFlushPatience);
  LogInfo(
      server_.DrainedCleanly()
          ? "stopped: every connection was drained"
          : "stopped: some connections were reset before they were drained");
  return clean && EndRequests::Count() < 2 ? 0 : kExitCutOff;
}

EchoServerOptions Daemon::Options(
    std::map<std::string, ListenSocket> inherited) {
  EchoServerOptions options;
  options.listeners = config_.listeners;
  options.inherited = std::move(inherited);
  options.worker_count = config_.worker_count;
  options.max_total_connections = config_.max_total_connections;
  options.drain_grace_period = config_.drain_grace_period;
  options.drain_timeout = config_.drain_timeout;
  options.access_log = access_log_;
  options.config_reloads = &config_reloads_;
  options.on_listeners_changed = [this](std::shared_ptr<const void> hold) {
    if (port_file_ == nullptr) return;
    port_file_->Publish(Addresses(), std::move(hold));
  };
  options.on_draining = [this](absl::Duration longest) {
    EndByForceAfter(longest + kEndMargin, kExitCutOff);
    admin_->SetDraining(/*ready=*/ended_by_signal_);
  };
  options.on_accepting_changed = [this] {
    if (admin_ != nullptr) admin_->OnListenersChanged();
  };
  options.on_worker_failed = [this](const std::string& what) {
    admin_->SetFailed(what);
  };
  options.on_stopped = [this] { loop_->Stop(); };
  return options;
}

ServerConfig Daemon::Config() const {
  ServerConfig config;
  {
    const MutexLock lock(flags_mutex_);
    config.flags = flags_;
  }
  std::map<std::string, std::string> running = config.flags;
  running["log_level"] =
      std::string(NameOf(kLogLevels, server_.GetServer().log_level.returns_to));
  config.running = RunningConfigText(running, server_.ListListeners());
  return config;
}

void Daemon::OnReloaded(const DaemonConfig& config) {
  std::set<std::string> ids;
  for (const ListenerCreation& each : config.listeners) ids.insert(each.id);
  loop_->Post([this, ids = std::move(ids)] { server_.KeepInConfig(ids); });
  bool new_level = false;
  {
    const MutexLock lock(flags_mutex_);
    new_level = flags_["log_level"] != config.flags.at("log_level");
    flags_ = config.flags;
  }
  // What an operator has set meanwhile stays if the file has not changed it.
  if (!new_level) return;
  server_.SetLogLevel(
      config.log_level, std::nullopt,
      Reply<LogLevelChange>(
          [level = config.flags.at("log_level")](const auto& change) {
            if (change.ok()) return;
            LogWarning(absl::StrCat("cannot set the log level ", level, ": ",
                                    change.status().message()));
          }));
}

absl::Status Daemon::StartReloader() {
  auto reloader = ConfigReloader::Start(
      {.loader = std::move(loader_),
       .config = config_,
       .listeners = &server_,
       .reloads = &config_reloads_,
       .clock = &SystemClock(),
       .on_reloaded =
           [this](const DaemonConfig& config) { OnReloaded(config); },
       .watch = config_.watch_config});
  if (!reloader.ok()) return reloader.status();
  reloader_ = *std::move(reloader);
  return absl::OkStatus();
}

BoundAddresses Daemon::Addresses() const {
  BoundAddresses bound;
  bound.admin = admin_->bound_address();
  if (metrics_ != nullptr) bound.http = metrics_->bound_address();
  for (const ListenerInfo& listener : server_.ListListeners()) {
    bound.listeners[listener.id] = listener.bound_address;
  }
  return bound;
}

absl::Status Daemon::StartPortFile() {
  auto publisher = PortFilePublisher::Start(
      [path = config_.port_file](const BoundAddresses& bound) {
        return WritePortFile(path, bound);
      });
  if (!publisher.ok()) return publisher.status();
  port_file_ = *std::move(publisher);
  // Last, since it tells scripts that echod is ready.
  return WritePortFile(config_.port_file, Addresses());
}

void Daemon::OnDrainRequested() {
  ended_by_signal_ = true;
  if (!server_.BeginDrain({})) LogInfo("already draining");
}

void Daemon::OnHangup() {
  if (hangup_.has_listeners()) {
    hangup_.Notify();
  } else {
    OnDrainRequested();
  }
}

void Daemon::OnAdminFailed(const char* what) {
  admin_failed_ = true;
  admin_->SetFailed(what);
  server_.BeginDrain({});
}

void Daemon::OnStopRequested() {
  LogWarning("second signal: resetting all connections");
  server_.StopNow();
}

}  // namespace echod
