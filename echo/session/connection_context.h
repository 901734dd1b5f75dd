// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_SESSION_CONNECTION_CONTEXT_H_
#define ECHO_SESSION_CONNECTION_CONTEXT_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "echo/base/clock.h"
#include "echo/control/close_reason.h"
#include "echo/control/listener_settings.h"
#include "echo/event/deadline_wheel.h"
#include "echo/event/event_loop.h"
#include "echo/event/timer.h"
#include "echo/session/listener_handle.h"
#include "echo/session/listener_stats.h"
#include "echo/session/session_observer.h"

namespace echod {

class Connection;
class ConnectionContext;

// What a worker knows of a listener, for the connections that came from it.
// Loop thread only; readers share the figures.
struct WorkerListener {
  ListenerHandle handle{};
  std::string id;
  ListenerSettings settings;
  std::shared_ptr<ListenerStats> all_stats;
  WorkerStats* stats = nullptr;          // this worker's share of it
  ConnectionContext* context = nullptr;  // this worker's; borrowed
};

// What the connections of one worker share. Loop thread only; outlives them.
class ConnectionContext {
 public:
  using EndedCallback = absl::AnyInvocable<void(Connection&)>;

  // `on_ended` destroys a connection that has ended; its observers have been
  // told before. `observers` are borrowed, and told in this order.
  ConnectionContext(EventLoop& loop, Clock& clock, int worker_index,
                    std::vector<SessionObserver*> observers,
                    EndedCallback on_ended);

  Clock& clock() const { return clock_; }
  int worker_index() const { return worker_index_; }

  // The wall-clock time of a moment, from one reading of both clocks at the
  // start: a connection's times do not move when the wall clock is set.
  absl::Time WallTime(MonotonicTime time) const {
    return wall_epoch_ + absl::FromChrono(time.time_since_epoch());
  }

  // Calls `connection.OnDeadline()` at `deadline`, soon after, or earlier.
  void Schedule(Connection& connection, MonotonicTime deadline);

  void NotifyOpened(const Connection& connection);
  void NotifyPaused(const Connection& connection);
  void NotifyResumed(const Connection& connection);
  // Destroys the connection.
  void NotifyClosed(Connection& connection, CloseReason reason);

  // What one read takes, and what one batch of answers makes: used within a
  // single callback, and so shared. A connection at rest needs no buffer.
  std::vector<char> read_buffer;
  std::string answers;

 private:
  void OnTick();

  Clock& clock_;
  const int worker_index_;
  const absl::Time wall_epoch_;  // of the monotonic clock
  const std::vector<SessionObserver*> observers_;
  EndedCallback on_ended_;
  DeadlineWheel wheel_;
  Timer tick_;  // armed only while there are deadlines
};

}  // namespace echod

#endif  // ECHO_SESSION_CONNECTION_CONTEXT_H_
