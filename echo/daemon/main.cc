// SPDX-License-Identifier: Apache-2.0

// The echo server. See `echod --help`.

#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "admin/http/metrics_server.h"
#include "admin/server/admin_server.h"
#include "admin/service/admin_service.h"
#include "echo/base/clock.h"
#include "echo/base/command_line.h"
#include "echo/base/descriptor_limit.h"
#include "echo/base/log_level.h"
#include "echo/base/logging.h"
#include "echo/base/mutex.h"
#include "echo/base/named_values.h"
#include "echo/base/standard_streams.h"
#include "echo/base/version.h"
#include "echo/config/running_config.h"
#include "echo/control/config_reloads.h"
#include "echo/control/listener_control.h"
#include "echo/control/reply.h"
#include "echo/control/server_control.h"
#include "echo/daemon/config_loader.h"
#include "echo/daemon/config_reloader.h"
#include "echo/daemon/flags.h"
#include "echo/daemon/hangup_signal.h"
#include "echo/daemon/inherited_sockets.h"
#include "echo/daemon/library_logs.h"
#include "echo/daemon/port_file.h"
#include "echo/daemon/port_file_publisher.h"
#include "echo/daemon/process_end.h"
#include "echo/event/event_loop.h"
#include "echo/net/listen_socket.h"
#include "echo/server/access_log.h"
#include "echo/server/echo_server.h"

namespace echod {
namespace {

// The exit status if echod cannot start: a bad flag, a port in use, no
// resources.
constexpr int kExitCannotRun = 2;

// How long RPCs may take to end after the data plane has stopped.
constexpr absl::Duration kAdminShutdownTimeout = absl::Seconds(1);

// How long HTTP clients may take to read the last answers.
constexpr absl::Duration kHttpFlushTimeout = absl::Milliseconds(500);

// How long after its deadline the process exits by force.
constexpr absl::Duration kEndMargin = absl::Seconds(2);

// How long to wait for the access log to accept its last records.
constexpr absl::Duration kAccessLogFlushPatience = absl::Seconds(1);

// How long to wait for standard error to accept the last lines of the log.
constexpr absl::Duration kLogFlushPatience = absl::Seconds(1);

// Writes the reason; the exit status.
int CannotRun(const absl::Status& status) {
  WriteErrorLine(absl::StrCat("echod: ", status.message()));
  return kExitCannotRun;
}

// The same for the mistakes that ConfigLoader has found, one in a line.
int CannotRunWith(const absl::Status& mistakes) {
  for (const absl::string_view line :
       absl::StrSplit(mistakes.message(), '\n')) {
    WriteErrorLine(absl::StrCat("echod: ", line));
  }
  return kExitCannotRun;
}

// Prints the answer to the command line; the exit status.
int Print(const std::string& answer) {
  if (std::fputs(answer.c_str(), stdout) < 0 || std::fflush(stdout) != 0) {
    return CannotRun(absl::UnavailableError(absl::StrCat(
        "cannot write to standard output: ", std::strerror(errno))));
  }
  return 0;
}

// Raises the soft limit of descriptors, usually 1,024, since each connection
// takes one. An error if there are too few even to run, because the limit is
// low or many were inherited: in that case libraries report nothing useful, or
// abort.
absl::Status PrepareDescriptors(int workers, bool http) {
  constexpr int kForWorker = 6;
  constexpr int kForHttp = 7;
  constexpr int kForTheRest = 32;  // the streams and signals have theirs
  RaiseDescriptorLimit();
  return CheckDescriptors(
      kForTheRest + kForWorker * workers + (http ? kForHttp : 0),
      absl::StrCat(workers, workers == 1 ? " worker" : " workers",
                   " (--workers) and the rest"));
}

std::string Hostname() {
  char name[256] = {};
  gethostname(name, sizeof name - 1);
  return name;
}

// The two planes, and the main loop.
class Daemon {
 public:
  // `loader` has loaded `config`; `access_log` is null if there is none.
  Daemon(DaemonConfig config, std::unique_ptr<ConfigLoader> loader,
         std::map<std::string, ListenSocket> inherited,
         std::unique_ptr<EventLoop> loop, std::shared_ptr<AccessLog> access_log)
      : config_(std::move(config)),
        loader_(std::move(loader)),
        loop_(std::move(loop)),
        access_log_(std::move(access_log)),
        flags_(config_.flags),
        server_(*loop_, SystemClock(), Options(std::move(inherited))) {}

  absl::Status Start() {
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
    if (hangup_.has_listeners()) {
      if (absl::Status noted = EndRequests::NoteHangups(); !noted.ok()) {
        return noted;
      }
    }
    if (absl::Status started = server_.Start(); !started.ok()) {
      if (absl::IsResourceExhausted(started)) return started;
      const std::string& file = config_.config_file;
      return absl::Status(started.code(),
                          absl::StrCat(file.empty() ? "flag --listen" : file,
                                       ": ", started.message()));
    }
    absl::StatusOr<std::unique_ptr<AdminServer>> admin = AdminServer::Start(
        {.address = config_.admin_address,
         .description = {.version = kVersion,
                         .hostname = Hostname(),
                         .config = [this] { return Config(); }},
         .listener = {.on_failed =
                          [this] {
                            loop_->Post([this] {
                              OnAdminFailed("the gRPC admin service failed");
                            });
                          }}},
        {.listeners = server_, .connections = server_, .server = server_});
    if (!admin.ok()) {
      if (absl::IsResourceExhausted(admin.status())) return admin.status();
      return absl::Status(
          admin.status().code(),
          absl::StrCat("flag --admin_address: ", admin.status().message()));
    }
    admin_ = *std::move(admin);
    if (!config_.http_address.empty()) {
      if (absl::Status started = StartHttp(); !started.ok()) return started;
    }
    admin_->StartServing();
    if (!config_.config_file.empty()) {
      if (absl::Status started = StartReloader(); !started.ok()) return started;
    }
    if (!config_.port_file.empty()) {
      if (absl::Status told = StartPortFile(); !told.ok()) return told;
    }
    for (const ListenerInfo& listener : server_.ListListeners()) {
      LogInfo(absl::StrCat("listener ", listener.id, " accepts on ",
                           listener.bound_address));
    }
    LogInfo(
        absl::StrCat("the admin service accepts on ", admin_->bound_address()));
    if (metrics_ != nullptr) {
      LogInfo(absl::StrCat("the HTTP server accepts on ",
                           metrics_->bound_address()));
    }
    return absl::OkStatus();
  }

  // Until the data plane has ended; then the exit status.
  int Run() {
    const absl::Status ended = loop_->Run();
    if (!ended.ok()) {
      LogError(absl::StrCat("the main loop failed: ", ended.message(),
                            "; resetting all connections and exiting"));
      admin_->health().SetFailed(
          absl::StrCat("the main loop failed: ", ended.message()));
      admin_->StopServing("the main loop failed");
      server_.StopNow();
    }
    const bool clean = ended.ok() && !admin_failed_ && server_.DrainedCleanly();
    // gRPC's shutdown has no bound of its own, and its threads may be stuck.
    EndByForceAfter(
        kAdminShutdownTimeout + kAccessLogFlushPatience + kEndMargin,
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

 private:
  EchoServerOptions Options(std::map<std::string, ListenSocket> inherited) {
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
      admin_->StopServing("echod is draining");
    };
    options.on_worker_failed = [this](const std::string& what) {
      admin_->health().SetFailed(what);
    };
    options.on_stopped = [this] { loop_->Stop(); };
    return options;
  }

  // The configuration as it is now. Thread-safe.
  ServerConfig Config() const {
    ServerConfig config;
    {
      const MutexLock lock(flags_mutex_);
      config.flags = flags_;
    }
    std::map<std::string, std::string> running = config.flags;
    running["log_level"] = std::string(
        NameOf(kLogLevels, server_.GetServer().log_level.returns_to));
    config.running = RunningConfigText(running, server_.ListListeners());
    return config;
  }

  // On the reloader's thread, which must not wait here.
  void OnReloaded(const DaemonConfig& config) {
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

  absl::Status StartReloader() {
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

  BoundAddresses Addresses() const {
    BoundAddresses bound;
    bound.admin = admin_->bound_address();
    if (metrics_ != nullptr) bound.http = metrics_->bound_address();
    for (const ListenerInfo& listener : server_.ListListeners()) {
      bound.listeners[listener.id] = listener.bound_address;
    }
    return bound;
  }

  absl::Status StartHttp() {
    auto metrics = MetricsServer::Start(
        {.address = config_.http_address,
         .version = kVersion,
         .on_failed =
             [this] {
               loop_->Post([this] { OnAdminFailed("the HTTP server failed"); });
             }},
        server_, admin_->counters(), admin_->health());
    if (!metrics.ok()) {
      if (absl::IsResourceExhausted(metrics.status())) return metrics.status();
      return absl::Status(
          metrics.status().code(),
          absl::StrCat("flag --http_address: ", metrics.status().message()));
    }
    metrics_ = *std::move(metrics);
    return absl::OkStatus();
  }

  // Publishes the bound addresses, and from now on each change of them.
  absl::Status StartPortFile() {
    auto publisher = PortFilePublisher::Start(
        [path = config_.port_file](const BoundAddresses& bound) {
          return WritePortFile(path, bound);
        });
    if (!publisher.ok()) return publisher.status();
    port_file_ = *std::move(publisher);
    // Last, since it tells scripts that echod is ready.
    return WritePortFile(config_.port_file, Addresses());
  }

  // An operator may have begun a drain already.
  void OnDrainRequested() {
    if (!server_.BeginDrain({})) LogInfo("already draining");
  }

  // A terminal that closes sends it, too: then nobody may be left to end echod.
  void OnHangup() {
    if (hangup_.has_listeners()) {
      hangup_.Notify();
    } else {
      OnDrainRequested();
    }
  }

  // Health checks go unanswered from now on, so an orchestrator is about to
  // kill the process; it drains first.
  void OnAdminFailed(const char* what) {
    admin_failed_ = true;
    admin_->health().SetFailed(what);
    server_.BeginDrain({});
  }

  void OnStopRequested() {
    LogWarning("second signal: resetting all connections");
    server_.StopNow();
  }

  const DaemonConfig config_;             // that it has started with
  std::unique_ptr<ConfigLoader> loader_;  // until the reloader has it
  const std::unique_ptr<EventLoop> loop_;
  const std::shared_ptr<AccessLog> access_log_;  // null: none
  ConfigReloads config_reloads_;
  mutable Mutex flags_mutex_;
  std::map<std::string, std::string> flags_ ABSL_GUARDED_BY(flags_mutex_);
  HangupSignal hangup_;  // parts that listen are added in Start
  std::unique_ptr<EndRequests> end_requests_;
  std::unique_ptr<PortFilePublisher> port_file_;  // null: no port file
  EchoServer server_;
  bool admin_failed_ = false;
  std::unique_ptr<AdminServer> admin_;        // uses server_; destroyed first
  std::unique_ptr<MetricsServer> metrics_;    // uses both; null: no HTTP
  std::unique_ptr<ConfigReloader> reloader_;  // uses server_; null: no file
};

int Main(int argc, char** argv) {
  const absl::Status noted = EndRequests::Note();
  // They have no meaning here, and by default they would kill the process.
  std::signal(SIGUSR1, SIG_IGN);
  std::signal(SIGUSR2, SIG_IGN);
  // A write to a closed peer or to a file at its size limit is to fail, not to
  // kill the process.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  if (absl::Status started = StartLog(); !started.ok()) {
    return CannotRun(started);
  }
  if (!noted.ok()) return CannotRun(noted);
  SendLibraryLogsToLog();
  auto loader = std::make_unique<ConfigLoader>();
  const absl::StatusOr<CommandLine> line =
      ParseCommandLine(argc, argv, loader->spec());
  if (!line.ok()) return CannotRun(line.status());
  if (line->result == CommandLineResult::kAnswer) return Print(line->answer);
  loader->SetCommandLine(*line);
  absl::StatusOr<DaemonConfig> config = loader->Load();
  if (!config.ok()) return CannotRunWith(config.status());
  if (config->check_config) {
    return Print(absl::StrCat(config->config_file, " is valid\n"));
  }
  SetLogLevel(config->log_level);
  absl::StatusOr<std::map<std::string, ListenSocket>> inherited =
      TakeInheritedSockets();
  if (!inherited.ok()) return CannotRun(inherited.status());
  AddInherited(*inherited, *config);
  if (absl::Status enough = PrepareDescriptors(config->worker_count,
                                               !config->http_address.empty());
      !enough.ok()) {
    return CannotRun(enough);
  }

  absl::StatusOr<std::unique_ptr<EventLoop>> loop = EventLoop::Create();
  if (!loop.ok()) return CannotRun(loop.status());
  std::shared_ptr<AccessLog> access_log;
  if (!config->access_log.empty()) {
    auto opened = AccessLog::Start(
        {.path = config->access_log, .opened = config->access_log_opened});
    if (!opened.ok()) {
      return CannotRun(absl::Status(
          opened.status().code(),
          absl::StrCat("flag --access_log: ", opened.status().message())));
    }
    access_log = *std::move(opened);
  }
  Daemon daemon(*std::move(config), std::move(loader), *std::move(inherited),
                *std::move(loop), std::move(access_log));
  if (absl::Status started = daemon.Start(); !started.ok()) {
    return CannotRun(started);
  }
  return daemon.Run();
}

}  // namespace
}  // namespace echod

// Runs before the constructors of libraries: gRPC's opens an eventfd.
[[gnu::section(".preinit_array"),
  gnu::used]] static void (*const open_standard_streams)() =
    &echod::OpenStandardStreams;

int main(int argc, char** argv) {
  const int status = echod::Main(argc, argv);
  echod::FlushLog(echod::kLogFlushPatience);
  return status;
}
