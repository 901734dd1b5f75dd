// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_SERVER_WORKER_H_
#define ECHO_SERVER_WORKER_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "echo/base/clock.h"
#include "echo/base/histogram.h"
#include "echo/base/socket_address.h"
#include "echo/base/unique_fd.h"
#include "echo/control/connection_control.h"
#include "echo/control/listener_settings.h"
#include "echo/event/event_loop.h"
#include "echo/event/loop_lag.h"
#include "echo/server/list_walk.h"
#include "echo/server/operator_jobs.h"
#include "echo/session/connection.h"
#include "echo/session/connection_context.h"
#include "echo/session/listener_handle.h"
#include "echo/session/listener_stats.h"
#include "echo/session/session_counters.h"
#include "echo/session/session_events.h"

namespace echod {

// A socket on its way from the main loop to a worker.
struct AcceptedSocket {
  ListenerHandle listener{};
  // The listener's, which may be gone before a worker drops the socket.
  std::shared_ptr<ListenerStats> stats;
  UniqueFd socket;
  SocketAddress remote;
  std::uint64_t number = 0;
  std::int64_t generation = 0;
};

// An EventLoop, its thread, and the connections that live on it. Work enters
// only through Post, HandOver, Serve and List. Methods that are not marked
// thread-safe belong to the loop's thread, as do posted closures.
//
// Operator requests go through the worker's OperatorJobs, which together take a
// bounded part of each turn of the loop.
class Worker {
 public:
  // Creates a worker with a loop and a thread of its own. RESOURCE_EXHAUSTED if
  // the system refuses the loop.
  static absl::StatusOr<std::unique_ptr<Worker>> Create(int index,
                                                        Clock& clock);
  // Creates a worker on a loop that the caller runs, and that outlives it.
  Worker(int index, Clock& clock, EventLoop& loop);
  // Stops and joins.
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Starts the worker's own thread, if it has one, and measures its loop's lag.
  // RESOURCE_EXHAUSTED if the system refuses that. Once. If the system fails
  // the loop, the worker resets its connections, for kShutdown, drops
  // everything that is posted later, and finally calls `on_failed` on that
  // thread.
  absl::Status Start(absl::AnyInvocable<void(absl::Status)> on_failed);
  // Ends the open connections, for kShutdown, and then the thread. Everything
  // that is posted later is dropped. Once. Thread-safe for a worker with a
  // thread of its own; otherwise call it on the loop's thread.
  void Stop();
  // Waits for the thread to end, after Stop.
  void Join();

  // Calls `task` on the loop's thread; see EventLoop::Post. Operators must not
  // be able to cause an unbounded number of calls. Thread-safe.
  void Post(absl::AnyInvocable<void(Worker&)> task);

  // Calls `task` on the loop's thread, as an operator request of this cost; see
  // OperatorJobs. If the worker stops first, destroys `task` without calling
  // it. Thread-safe.
  void Serve(OperatorJobs::Cost cost, absl::AnyInvocable<void(Worker&)> task);

  // Collects what it has for a page, a part in each turn of the loop, and
  // passes that to `done` on the loop's thread. If the worker stops first,
  // destroys `done` without calling it. Thread-safe.
  void List(const ConnectionQuery& query,
            absl::AnyInvocable<void(ConnectionPart)> done);

  // Counts a connection that will be handed over. Thread-safe.
  void AddLoad() { load_.fetch_add(1, std::memory_order_relaxed); }

  // Hands over sockets that AddLoad has counted. They are adopted in the order
  // of the calls, and of closures posted in between, a few per closure; a turn
  // of the loop runs a bounded number of closures. If the worker stops first,
  // it resets their connections, and takes them out of the open ones.
  // Thread-safe.
  static constexpr std::size_t kAdoptedAtOnce = 8;
  void HandOver(std::vector<AcceptedSocket> accepted);

  // The number of its connections, including those on their way. Thread-safe.
  std::int64_t load() const { return load_.load(std::memory_order_relaxed); }

  // Whether the system has failed its loop. Thread-safe.
  bool failed() const { return failed_.load(std::memory_order_relaxed); }

  int index() const { return index_; }

  // How late its loop serves while it has connections; in nanoseconds. Reading
  // is thread-safe.
  const SharedHistogram& loop_lag() const { return lag_.lags(); }

  // The number of listeners that it knows.
  std::size_t listener_count() const { return listeners_.size(); }

  // Adopts a socket that AddLoad has counted.
  void Adopt(AcceptedSocket accepted);

  // Makes the worker accept sockets of this listener.
  void AddListener(ListenerHandle handle, const std::string& id,
                   const ListenerSettings& settings,
                   std::shared_ptr<ListenerStats> stats);
  // Calls `done` when the settings apply to every connection, too.
  void SetListenerSettings(ListenerHandle handle,
                           const ListenerSettings& settings,
                           absl::AnyInvocable<void()> done);
  // Called after the last socket of the listener. The worker forgets the
  // listener when it has no connection of it left, and then calls `done`; if
  // the worker is destroyed first, so is `done`, without being called. Once per
  // listener.
  void RemoveListener(ListenerHandle handle, absl::AnyInvocable<void()> done);

  // Where the events of its connections go. To be used by the loop's thread, or
  // before Start.
  SessionEvents& events() { return events_; }

  // Null if the worker has no such connection. Borrowed until the loop turns.
  Connection* Find(std::uint64_t number);

  // An action on many connections.
  struct Sweep {
    // Selects among the connections that exist when the sweep begins. The
    // result for a connection must not change.
    absl::AnyInvocable<bool(const Connection&) const> select;
    int select_cost = OperatorJobs::kLook;  // of selecting one
    // Spreads the visits evenly over this time.
    absl::Duration spread = absl::ZeroDuration();
    OperatorJobs::Cost cost;  // of one visit
    bool only_reads = false;  // keeps the pace of walks; see OperatorJobs
    Abandonment abandonment;  // ends it
    // May destroy the connection.
    absl::AnyInvocable<void(Connection&)> visit;
    // Called after the last visit. If the worker stops first, destroyed without
    // being called. May be empty.
    absl::AnyInvocable<void()> done;
  };
  // Visits a part of the connections in each turn of the loop.
  void Start(Sweep sweep);

  // Drains every connection, and every later one, by `deadline`.
  void Drain(MonotonicTime deadline);

  // Calls `callback` as soon as there are no connections. Once.
  void NotifyWhenEmpty(absl::AnyInvocable<void()> callback);

 private:
  using Budget = OperatorJobs::Budget;
  using Progress = OperatorJobs::Progress;
  struct ListenerShare {
    WorkerListener listener;
    std::int64_t connections = 0;
    bool removed = false;
    absl::AnyInvocable<void()> on_gone;  // where it has been removed
  };
  struct HandedOver;
  struct SweepInProgress {
    Sweep sweep;
    MonotonicTime start;
    std::uint64_t last = 0;   // number of the last connection it may select
    std::uint64_t after = 0;  // it has been at those up to this number
    // If the visits are spread.
    bool counting = false;  // how many there are; the visits come then
    std::int64_t selected = 0;
    std::int64_t left = 0;  // counted, neither visited nor closed
  };

  Worker(int index, Clock& clock, std::unique_ptr<EventLoop> own,
         EventLoop* loop);
  void Run();
  void CloseAll();
  void OnEnded(Connection& connection);
  // One open connection less. Thread-safe.
  void Uncount(ListenerStats& stats, const SocketAddress& remote,
               std::int64_t generation);
  ListenerShare& ShareOf(ListenerHandle handle);
  void ForgetIfGone(ListenerHandle handle);
  Progress Continue(SweepInProgress& sweep, Budget& budget);
  // Returns whether all have been counted.
  bool Count(SweepInProgress& sweep, Budget& budget);
  // The number of visits that are due by now; connections that have closed do
  // not count.
  std::int64_t Due(const SweepInProgress& sweep) const;

  // Constant after construction.
  const int index_;
  Clock& clock_;

  std::atomic<std::int64_t> load_{0};
  std::atomic<bool> failed_{false};
  const std::unique_ptr<EventLoop> own_loop_;  // null: the caller's
  EventLoop& loop_;
  absl::AnyInvocable<void(absl::Status)> on_failed_;
  std::thread thread_;

  // Loop thread only.
  SessionCounters counters_;
  SessionLog log_;
  SessionEvents events_;
  ConnectionContext context_;
  absl::btree_map<ListenerHandle, std::unique_ptr<ListenerShare>> listeners_;
  ListWalk::Connections connections_;
  bool stopped_ = false;
  absl::AnyInvocable<void()> on_empty_;
  std::optional<MonotonicTime> drain_deadline_;
  std::vector<SweepInProgress*> spread_sweeps_;  // owned by their jobs
  OperatorJobs jobs_;
  LoopLag lag_;
};

}  // namespace echod

#endif  // ECHO_SERVER_WORKER_H_
