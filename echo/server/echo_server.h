// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_SERVER_ECHO_SERVER_H_
#define ECHO_SERVER_ECHO_SERVER_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "echo/base/clock.h"
#include "echo/base/log_level.h"
#include "echo/control/config_reloads.h"
#include "echo/control/connection_control.h"
#include "echo/control/connection_info.h"
#include "echo/control/listener_control.h"
#include "echo/control/server_control.h"
#include "echo/control/session_event.h"
#include "echo/control/stats.h"
#include "echo/event/event_loop.h"
#include "echo/event/timer.h"
#include "echo/net/listen_socket.h"
#include "echo/server/access_log.h"
#include "echo/server/connection_closer.h"
#include "echo/server/connection_directory.h"
#include "echo/server/listener_registry.h"
#include "echo/server/log_level_switch.h"
#include "echo/server/request_limit.h"
#include "echo/server/stats_baseline.h"
#include "echo/server/worker.h"

namespace echod {

struct EchoServerOptions {
  std::vector<ListenerCreation> listeners;  // that it starts with
  // Sockets for some of them, by id, in place of their addresses.
  std::map<std::string, ListenSocket> inherited;
  int worker_count = 1;
  // Limit of open connections over all listeners. 0: no limit.
  std::int64_t max_total_connections = 0;
  absl::Duration drain_grace_period = absl::ZeroDuration();
  absl::Duration drain_timeout = absl::Seconds(30);

  std::shared_ptr<AccessLog> access_log;  // null: none
  // For GetServer and GetStats; outlives the server. Null: there are none.
  const ConfigReloads* config_reloads = nullptr;

  // Called on the main loop's thread; each may be empty. on_listeners_changed
  // is called after listeners have been created, moved or deleted. The request
  // that changed them is answered when the last copy of `hold` is destroyed, on
  // any thread.
  absl::AnyInvocable<void(std::shared_ptr<const void> hold)>
      on_listeners_changed;
  // Called after what ReadListeners returns has changed, but for figures: a
  // listener accepts elsewhere, or no longer, or again, or is configured
  // elsewhere.
  absl::AnyInvocable<void()> on_accepting_changed;
  // Called when a drain begins, and again when the connections begin to drain.
  // The drain ends within `longest` of the call.
  absl::AnyInvocable<void(absl::Duration longest)> on_draining;
  // Called when a worker has failed, before the drain that follows, with a
  // description.
  absl::AnyInvocable<void(const std::string&)> on_worker_failed;
  absl::AnyInvocable<void()> on_stopped;  // the workers have ended
};

// The data plane: listeners on the main loop, connections on workers. Owns the
// workers and the lifecycle, which only moves forward: starting, serving,
// draining, stopped.
//
// Created, started, stopped and destroyed on the main loop's thread. The
// methods of the control interfaces are thread-safe.
class EchoServer final : public ListenerControl,
                         public ConnectionControl,
                         public ServerControl {
 public:
  // `main_loop` and `clock` outlive the server.
  EchoServer(EventLoop& main_loop, Clock& clock, EchoServerOptions options);
  // Stops the workers, if they run.
  ~EchoServer() override;
  EchoServer(const EchoServer&) = delete;
  EchoServer& operator=(const EchoServer&) = delete;

  // Starts the workers and creates the listeners, which accept once the main
  // loop runs. Once. On an error everything is undone: RESOURCE_EXHAUSTED if
  // the system refuses threads or loops, or an error of CreateListener.
  absl::Status Start();

  // The configuration has been read anew, and names the listeners `ids`.
  void KeepInConfig(const std::set<std::string>& ids) {
    listeners_.KeepInConfig(ids);
  }

  // Begins the drain that ends in `on_stopped`. False if one has begun before.
  bool BeginDrain(const DrainOptions& options);

  // Resets the open connections, ends the workers, and calls `on_stopped`.
  void StopNow();

  // Whether the drain has ended without a reset, and no worker has failed.
  bool DrainedCleanly() const;

  // ListenerControl.
  std::vector<ListenerInfo> ListListeners() const override;
  absl::StatusOr<ListenerInfo> GetListener(
      const std::string& id) const override;
  ListenerSnapshot ReadListeners() const override;
  void CreateListener(ListenerCreation creation,
                      Reply<ListenerInfo> reply) override;
  void UpdateListener(ListenerUpdate update,
                      Reply<ListenerInfo> reply) override;
  void PauseListener(ListenerPause pause, Reply<ListenerInfo> reply) override;
  void DeleteListener(ListenerDeletion deletion,
                      Reply<ListenerInfo> reply) override;

  void ChangeListeners(std::vector<ListenerChange> changes,
                       Reply<std::vector<ListenerInfo>> reply) override;

  // ConnectionControl.
  void ListConnections(ConnectionQuery query,
                       Reply<ConnectionParts> reply) override;
  void GetConnection(std::uint64_t number,
                     Reply<ConnectionInfo> reply) override;
  void CloseConnection(std::uint64_t number, CloseMode mode,
                       Reply<ConnectionInfo> reply) override;
  void CloseConnections(ConnectionClosing closing,
                        Reply<ClosedConnections> reply) override;
  void WatchConnections(std::shared_ptr<SessionEventSink> sink,
                        Reply<WatchBegun> reply) override;
  void StopWatching(std::shared_ptr<SessionEventSink> sink) override;

  // ServerControl.
  ServerInfo GetServer() const override;
  Stats GetStats() const override;
  Stats GetStatsSinceReset() const override;
  Stats ResetStats() override;
  void Drain(DrainOptions options, Reply<ServerInfo> reply) override;
  void SetLogLevel(LogLevel level, std::optional<absl::Duration> duration,
                   Reply<LogLevelChange> reply) override;

 private:
  using State = ServerInfo::State;

  StatsBaseline::Reading ReadStats() const;
  ConfigReloads::Counts ReadConfigReloads() const;

  // Main loop only.
  absl::Status StartWorkers();
  void OnWorkerFailed(int index, const absl::Status& failure);
  // Takes the socket that the listener has inherited, if any.
  std::optional<ListenSocket> Inherited(const std::string& id);
  absl::Status CreateListeners();
  void EndWorkers();
  void OnAccept(AcceptedSocket accepted);
  bool HasRoom() const;
  // Hands the workers the connections that were accepted for them in this turn,
  // with one wake-up each.
  void HandOver();
  std::size_t LeastLoadedWorker();
  // An operator's change to the listeners, for the main loop.
  void Change(Reply<ListenerInfo> reply,
              absl::AnyInvocable<void(Reply<ListenerInfo>)> change);
  void CloseListeners();
  void DrainConnections();
  // Called when the listeners have closed, and when the connections have begun
  // to drain. The second call waits for the workers.
  void OnDrainStep();
  // Connections that ended before they had been drained.
  std::int64_t CutOff() const;

  // Constant after construction, the hooks for the main loop only.
  EventLoop& main_loop_;
  Clock& clock_;
  EchoServerOptions options_;
  const absl::Time start_time_;
  const MonotonicTime started_;

  std::atomic<State> state_{State::kStarting};
  StatsBaseline baseline_;
  std::atomic<bool> drain_requested_{false};  // over the API

  // Constant after Start.
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<std::vector<AcceptedSocket>> accepted_;  // by worker; main loop
  ConnectionDirectory connections_;
  ConnectionCloser closer_;
  RequestLimit requests_;  // all but Drain, which always has to be possible

  // Main loop only, but for reading.
  ListenerRegistry listeners_;
  LogLevelSwitch log_level_;

  // Main loop only.
  std::uint64_t next_number_ = 1;
  std::size_t next_worker_ = 0;
  std::int64_t cut_off_before_drain_ = 0;
  absl::Duration drain_timeout_ = absl::ZeroDuration();  // of this drain
  int drain_steps_left_ = 0;
  bool worker_failed_ = false;
  Timer grace_timer_;
  Timer drain_timer_;
  Timer deadline_timer_;
};

}  // namespace echod

#endif  // ECHO_SERVER_ECHO_SERVER_H_
