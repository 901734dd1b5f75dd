#ifndef ECHO_WORKER_H_
#define ECHO_WORKER_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "echo/base/clock.h"
#include "echo/base/socket_address.h"
#include "echo/base/unique_fd.h"
#include "echo/connection.h"
#include "echo/event/event_loop.h"
#include "echo/event/timer.h"
#include "echo/listener_stats.h"
#include "echo/server_control.h"

namespace echod {

// A socket on its way from the main loop to a worker.
struct AcceptedSocket {
  std::string listener_id;
  UniqueFd socket;
  SocketAddress remote;
  std::uint64_t number = 0;
  std::int64_t generation = 0;
};

// An EventLoop with its thread, and the connections that live on it. Nothing
// comes in but through Post and HandOver; what is not said to be thread-safe is
// for the loop's thread only, and so for what is posted.
class Worker {
 public:
  // On a loop and a thread of its own. RESOURCE_EXHAUSTED when the system has
  // no loop for it.
  static absl::StatusOr<std::unique_ptr<Worker>> Create(int index,
                                                        Clock& clock);
  // On a loop that somebody else runs, and that outlives the worker.
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

  // Calls `task` on the loop's thread; see EventLoop::Post. Thread-safe.
  void Post(absl::AnyInvocable<void(Worker&)> task);

  // Counts a connection that will be handed over. Thread-safe.
  void AddLoad() { load_.fetch_add(1, std::memory_order_relaxed); }

  // Gives the worker sockets that AddLoad has counted. Thread-safe.
  void HandOver(std::vector<AcceptedSocket> accepted);

  // Connections it has, and those on their way to it. Thread-safe.
  std::int64_t load() const { return load_.load(std::memory_order_relaxed); }

  // Whether the system has failed its loop. Thread-safe.
  bool failed() const { return failed_.load(std::memory_order_relaxed); }

  int index() const { return index_; }

  // Takes a socket that AddLoad has counted.
  void Adopt(AcceptedSocket accepted);

  // From here on sockets of the listener `id` can be adopted.
  void AddListener(const std::string& id, const ListenerSettings& settings,
                   std::shared_ptr<ListenerStats> stats);
  void SetListenerSettings(const std::string& id,
                           const ListenerSettings& settings);

  // Null when there is no such connection, any more or yet. Borrowed until the
  // loop turns.
  Connection* Find(std::uint64_t number);

  // Collects what `query` asks for, a batch in each turn of the loop, and hands
  // it to `done` on this thread.
  void List(ConnectionQuery query,
            absl::AnyInvocable<void(std::vector<ConnectionInfo>)> done);

  // Calls `visit` for each connection that `select` chooses now and that is
  // still there when its turn comes: a batch in each turn of the loop, spread
  // evenly over `spread`. `visit` may destroy the connection.
  void Sweep(absl::FunctionRef<bool(const Connection&)> select,
             absl::Duration spread, std::function<void(Connection&)> visit);

  // Drains every connection, and every one that comes later, by `deadline`.
  void Drain(MonotonicTime deadline);

  // Calls `callback` as soon as there are no connections. Once.
  void NotifyWhenEmpty(absl::AnyInvocable<void()> callback);

 private:
  struct SweepInProgress {
    std::vector<std::uint64_t> numbers;  // ascending
    std::size_t next = 0;
    MonotonicTime start;
    absl::Duration spread;
    std::function<void(Connection&)> visit;
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
  void OnClosed(Connection& connection, CloseReason reason);
  void ContinueSweeps();
  // How many of the sweep's connections have had their turn by now.
  std::size_t DueBy(const SweepInProgress& sweep, MonotonicTime now) const;
  void ContinueList(ListInProgress list);

  // Constant after construction.
  const int index_;
  Clock& clock_;

  std::atomic<std::int64_t> load_{0};
  std::atomic<bool> failed_{false};
  const std::unique_ptr<EventLoop> own_loop_;  // null: somebody else's
  EventLoop& loop_;
  absl::AnyInvocable<void(absl::Status)> on_failed_;
  std::thread thread_;

  // Loop thread only.
  ConnectionContext context_;
  absl::btree_map<std::string, std::unique_ptr<WorkerListener>> listeners_;
  absl::btree_map<std::uint64_t, std::unique_ptr<Connection>> connections_;
  bool stopped_ = false;
  absl::AnyInvocable<void()> on_empty_;
  std::optional<MonotonicTime> drain_deadline_;
  std::vector<SweepInProgress> sweeps_;
  Timer sweep_timer_;
};

}  // namespace echod

#endif  // ECHO_WORKER_H_
