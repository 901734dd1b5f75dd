// SPDX-License-Identifier: Apache-2.0

#include "echo/session/connection_context.h"

#include <cstddef>
#include <utility>

#include "echo/session/connection.h"

namespace echod {
namespace {

// Deadlines that one turn of the loop looks at, so that sockets get theirs.
constexpr std::size_t kDeadlinesInATurn = 256;

}  // namespace

ConnectionContext::ConnectionContext(EventLoop& loop, Clock& clock,
                                     int worker_index,
                                     std::vector<SessionObserver*> observers,
                                     EndedCallback on_ended)
    : read_buffer(Connection::kReadBytes),
      clock_(clock),
      worker_index_(worker_index),
      wall_epoch_(clock.WallNow() -
                  absl::FromChrono(clock.PreciseNow().time_since_epoch())),
      observers_(std::move(observers)),
      on_ended_(std::move(on_ended)),
      wheel_(clock.MonotonicNow()),
      tick_(loop, [this] { OnTick(); }) {}

void ConnectionContext::Schedule(Connection& connection,
                                 MonotonicTime deadline) {
  wheel_.Schedule(connection, deadline);
  if (!tick_.armed()) tick_.Arm(absl::FromChrono(DeadlineWheel::kTick));
}

void ConnectionContext::OnTick() {
  const bool all =
      wheel_.Advance(clock_.MonotonicNow(), kDeadlinesInATurn,
                     [](DeadlineWheel::Entry& entry) {
                       static_cast<Connection&>(entry).OnDeadline();
                     });
  if (wheel_.empty()) return;
  tick_.Arm(all ? absl::FromChrono(DeadlineWheel::kTick)
                : absl::ZeroDuration());
}

void ConnectionContext::NotifyOpened(const Connection& connection) {
  for (SessionObserver* const each : observers_) each->OnOpened(connection);
}

void ConnectionContext::NotifyPaused(const Connection& connection) {
  for (SessionObserver* const each : observers_) each->OnPaused(connection);
}

void ConnectionContext::NotifyResumed(const Connection& connection) {
  for (SessionObserver* const each : observers_) each->OnResumed(connection);
}

void ConnectionContext::NotifyClosed(Connection& connection,
                                     CloseReason reason) {
  for (SessionObserver* const each : observers_) {
    each->OnClosed(connection, reason);
  }
  on_ended_(connection);
}

}  // namespace echod
