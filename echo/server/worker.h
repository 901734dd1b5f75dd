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
#include "echo/base/socket_address.h"
#include "echo/base/unique_fd.h"
#include "echo/control/connection_control.h"
#include "echo/control/connection_info.h"
#include "echo/control/listener_settings.h"
#include "echo/event/event_loop.h"
#include "echo/server/operator_jobs.h"
#include "echo/session/connection.h"
#include "echo/session/connection_context.h"
#include "echo/session/listener_handle.h"
#include "echo/session/listener_stats.h"
#include "echo/session/session_counters.h"

namespace echod {

// A socket on its way from the main loop to a worker.
struct AcceptedSocket {
  ListenerHandle listener{};
  UniqueFd socket;
  SocketAddress remote;
  std::uint64_t number = 0;
  std::int64_t generation = 0;
};

// An EventLoop with its thread, and the connections that live on it. Nothing
// comes in but through Post, HandOver, Serve and List; what is not said to be
// thread-safe is for the loop's thread only, and so for what is posted.
//
// What operators ask for goes through the worker's OperatorJobs: all of it
// together takes a bounded part of a turn of the loop.
class Worker {
 public:
  // On a loop and a thread of its own. RESOURCE_EXHAUSTED when the system has
  // no loop for it.
  static absl::StatusOr<std::unique_ptr<Worker>> Create(int index,
                                                        Clock& clock);
  // On a loop that the caller runs, and that outlives the worker.
  Worker(int index, Clock& clock, EventLoop& loop);
  // Stops and joins.
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Starts the thread, where it has its own; RESOURCE_EXHAUSTED when there
  // cannot be another. Once. `on_failed` is called on that thread, as the last
  // thing it does, if the system fails its loop: the connections have been
  // reset then, for kShutdown, and what is posted later is dropped.
  absl::Status Start(absl::AnyInvocable<void(absl::Status)> on_failed);
  // Closes what is open, for kShutdown, and ends the thread; what is posted
  // later is dropped. Once. Thread-safe for a worker with a thread of its own;
  // for another, on the loop's thread.
  void Stop();
  // Waits for the thread to end, after Stop.
  void Join();

  // Calls `task` on the loop's thread; see EventLoop::Post. Not for what
  // operators may ask for as often as they like. Thread-safe.
  void Post(absl::AnyInvocable<void(Worker&)> task);

  // Calls `task` on the loop's thread, as an operator's request of this cost:
  // see OperatorJobs. Destroyed without being called when the worker stops
  // before. Thread-safe.
  void Serve(OperatorJobs::Cost cost, absl::AnyInvocable<void(Worker&)> task);

  // Collects what `query` asks for, a part in each turn of the loop, and hands
  // it to `done` on the loop's thread; destroys `done` without when the worker
  // stops before. Thread-safe.
  void List(const ConnectionQuery& query,
            absl::AnyInvocable<void(std::vector<ConnectionInfo>)> done);

  // Counts a connection that will be handed over. Thread-safe.
  void AddLoad() { load_.fetch_add(1, std::memory_order_relaxed); }

  // Gives the worker sockets that AddLoad has counted: in the order of the
  // calls, and of what is posted. It adopts so many in one closure, of which a
  // turn of its loop runs a bounded number. Thread-safe.
  static constexpr std::size_t kAdoptedAtOnce = 8;
  void HandOver(std::vector<AcceptedSocket> accepted);

  // Connections it has, and those on their way to it. Thread-safe.
  std::int64_t load() const { return load_.load(std::memory_order_relaxed); }

  // Whether the system has failed its loop. Thread-safe.
  bool failed() const { return failed_.load(std::memory_order_relaxed); }

  int index() const { return index_; }

  // How many listeners it knows.
  std::size_t listener_count() const { return listeners_.size(); }

  // Takes a socket that AddLoad has counted.
  void Adopt(AcceptedSocket accepted);

  // From here on sockets of this listener can be adopted.
  void AddListener(ListenerHandle handle, const std::string& id,
                   const ListenerSettings& settings,
                   std::shared_ptr<ListenerStats> stats);
  // `done` is called when they hold for every connection, too.
  void SetListenerSettings(ListenerHandle handle,
                           const ListenerSettings& settings,
                           absl::AnyInvocable<void()> done);
  // No socket of the listener comes any more. Forgets it once it has no
  // connection here, and then calls `done`; destroys `done` without when the
  // worker is destroyed before. Once for each listener.
  void RemoveListener(ListenerHandle handle, absl::AnyInvocable<void()> done);

  // Null when there is no such connection, any more or yet. Borrowed until the
  // loop turns.
  Connection* Find(std::uint64_t number);

  // Something that is to happen to many connections.
  struct Sweep {
    // Which, of those that are there when it begins. What it says of a
    // connection never changes.
    absl::AnyInvocable<bool(const Connection&) const> select;
    // Spreads the visits evenly over this time.
    absl::Duration spread = absl::ZeroDuration();
    OperatorJobs::Cost cost;  // of one visit
    // May destroy the connection.
    absl::AnyInvocable<void(Connection&)> visit;
    // Called when none is left to visit; destroyed without when the
    // worker stops before. May be empty.
    absl::AnyInvocable<void()> done;
  };
  // A part of the connections has its turn in each turn of the loop.
  void Start(Sweep sweep);

  // Drains every connection, and every one that comes later, by `deadline`.
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
  struct SweepInProgress {
    Sweep sweep;
    MonotonicTime start;
    std::uint64_t last = 0;   // number of the last connection it may select
    std::uint64_t after = 0;  // it has been at those up to this number
    // Where the visits are spread.
    bool counting = false;  // how many there are; the visits come then
    std::int64_t selected = 0;
    std::int64_t left = 0;  // counted, neither visited nor closed
  };
  struct ListInProgress {
    ConnectionQuery query;  // `after` and `limit`: what is still to do
    std::vector<ConnectionInfo> found;
    absl::AnyInvocable<void(std::vector<ConnectionInfo>)> done;
  };

  Worker(int index, Clock& clock, std::unique_ptr<EventLoop> own,
         EventLoop* loop);
  void Run();
  void CloseAll();
  void OnEnded(Connection& connection);
  ListenerShare& ShareOf(ListenerHandle handle);
  void ForgetIfGone(ListenerHandle handle);
  Progress Continue(SweepInProgress& sweep, Budget& budget);
  // Whether all have been counted.
  bool Count(SweepInProgress& sweep, Budget& budget);
  // How many it should have visited by now, but for those that have closed.
  std::int64_t Due(const SweepInProgress& sweep) const;
  Progress Continue(ListInProgress& list, Budget& budget);

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
  ConnectionContext context_;
  absl::btree_map<ListenerHandle, std::unique_ptr<ListenerShare>> listeners_;
  absl::btree_map<std::uint64_t, std::unique_ptr<Connection>> connections_;
  bool stopped_ = false;
  absl::AnyInvocable<void()> on_empty_;
  std::optional<MonotonicTime> drain_deadline_;
  std::vector<SweepInProgress*> spread_sweeps_;  // owned by their jobs
  OperatorJobs jobs_;
};

}  // namespace echod

#endif  // ECHO_SERVER_WORKER_H_
