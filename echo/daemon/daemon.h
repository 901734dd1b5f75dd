// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_DAEMON_DAEMON_H_
#define ECHO_DAEMON_DAEMON_H_

#include <map>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "admin/http/metrics_server.h"
#include "admin/server/admin_server.h"
#include "admin/service/admin_service.h"
#include "echo/base/mutex.h"
#include "echo/control/config_reloads.h"
#include "echo/daemon/config_loader.h"
#include "echo/daemon/config_reloader.h"
#include "echo/daemon/flags.h"
#include "echo/daemon/hangup_signal.h"
#include "echo/daemon/port_file.h"
#include "echo/daemon/port_file_publisher.h"
#include "echo/daemon/process_end.h"
#include "echo/event/event_loop.h"
#include "echo/net/listen_socket.h"
#include "echo/server/access_log.h"
#include "echo/server/echo_server.h"

namespace echod {

// The two planes, the main loop, and what else runs in the process. Main thread
// only, unless said otherwise.
class Daemon {
 public:
  // `loader` has loaded `config`; `access_log` is null if there is none.
  // `inherited` are sockets by the ids of their listeners.
  Daemon(DaemonConfig config, std::unique_ptr<ConfigLoader> loader,
         std::map<std::string, ListenSocket> inherited,
         std::unique_ptr<EventLoop> loop,
         std::shared_ptr<AccessLog> access_log);
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  // Binds every address, starts every thread, and says so in the log and the
  // port file. After an error, which names the flag, destroy the Daemon.
  absl::Status Start();

  // Runs until the data plane has ended; then the exit status.
  int Run();

 private:
  EchoServerOptions Options(std::map<std::string, ListenSocket> inherited);
  absl::Status StartServer();
  absl::Status StartAdmin();
  absl::Status StartHttp();
  absl::Status StartReloader();
  // Publishes the bound addresses, and from now on each change of them.
  absl::Status StartPortFile();
  absl::Status WatchSignals();
  void LogAddresses() const;

  // The configuration as it is now. Thread-safe.
  ServerConfig Config() const;
  // On the reloader's thread, which must not wait here.
  void OnReloaded(const DaemonConfig& config);
  BoundAddresses Addresses() const;

  // An operator may have begun a drain already.
  void OnDrainRequested();
  // A terminal that closes sends it, too: then nobody may be left to end echod.
  void OnHangup();
  void OnStopRequested();
  // Health checks go unanswered from now on, so an orchestrator is about to
  // kill the process; it drains first.
  void OnAdminFailed(const char* what);

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
  // Whoever sends it, such as an orchestrator, knows whom it ends.
  bool ended_by_signal_ = false;
  bool admin_failed_ = false;
  std::unique_ptr<AdminServer> admin_;        // uses server_; destroyed first
  std::unique_ptr<MetricsServer> metrics_;    // uses both; null: no HTTP
  std::unique_ptr<ConfigReloader> reloader_;  // uses server_; null: no file
};

}  // namespace echod

#endif  // ECHO_DAEMON_DAEMON_H_
