// SPDX-License-Identifier: Apache-2.0

// How a server ends: see "The end of the process" in docs/architecture.md.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "echo/base/check.h"
#include "echo/base/logging.h"
#include "echo/control/close_reason.h"
#include "echo/control/control_error.h"
#include "echo/event/post_at_end.h"
#include "echo/server/echo_server.h"
#include "echo/server/retiring_socket.h"

namespace echod {
namespace {

// How long after the drain's deadline the workers are stopped, whatever is
// left: connections see to the deadline themselves, to within a tick or two.
constexpr absl::Duration kDeadlineMargin = absl::Milliseconds(250);

}  // namespace

void EchoServer::Drain(DrainOptions options, Reply<ServerInfo> reply) {
  // A flood of these posts one closure.
  if (state_ != State::kServing || drain_requested_.exchange(true)) {
    return reply(ServerDrainingError());
  }
  main_loop_.Post([this, options, reply = std::move(reply)]() mutable {
    if (!BeginDrain(options)) return reply(ServerDrainingError());
    reply(GetServer());
  });
}

bool EchoServer::BeginDrain(const DrainOptions& options) {
  ECHOD_DCHECK(main_loop_.InLoopThread());
  if (state_ != State::kServing) return false;
  state_ = State::kDraining;
  listeners_.Freeze();
  cut_off_before_drain_ = CutOff();
  const absl::Duration grace =
      options.grace_period.value_or(options_.drain_grace_period);
  drain_timeout_ = options.deadline.value_or(options_.drain_timeout);
  const std::string accepting =
      grace > absl::ZeroDuration()
          ? absl::StrCat("accepting for ", absl::FormatDuration(grace),
                         " more, then ")
          : "";
  LogInfo(absl::StrCat("draining: ", accepting, "connections have ",
                       absl::FormatDuration(drain_timeout_), " to drain"));
  if (options_.on_draining) {
    options_.on_draining(grace + RetiringSocket::kHandshakeGrace +
                         drain_timeout_ + kDeadlineMargin);
  }
  grace_timer_.Arm(grace);
  return true;
}

void EchoServer::CloseListeners() {
  // Listeners take longer to close where descriptors have run out, and what
  // waits in their queues needs those of connections that end: so connections
  // begin to end before all listeners have closed.
  drain_steps_left_ = 2;
  drain_timer_.Arm(RetiringSocket::kHandshakeGrace);
  listeners_.StopAll([this] { OnDrainStep(); });
}

void EchoServer::DrainConnections() {
  const MonotonicTime deadline = TimeAfter(clock_, drain_timeout_);
  deadline_timer_.Arm(drain_timeout_ + kDeadlineMargin);
  // Later than it was when the drain began, if the process was stopped since.
  if (options_.on_draining) {
    options_.on_draining(drain_timeout_ + kDeadlineMargin);
  }
  for (const auto& worker : workers_) {
    worker->Post([deadline](Worker& self) { self.Drain(deadline); });
  }
  OnDrainStep();
}

void EchoServer::OnDrainStep() {
  if (--drain_steps_left_ > 0) return;
  // No connection will come that is not on a worker by now, or on its way to
  // one. Each worker holds `all_empty` until it has no connections, or has
  // failed.
  const auto all_empty =
      std::make_shared<PostAtEnd>(main_loop_, [this] { StopNow(); });
  for (const auto& worker : workers_) {
    worker->Post(
        [held = std::shared_ptr<PostAtEnd>(all_empty)](Worker& self) mutable {
          self.NotifyWhenEmpty([held = std::move(held)] {});
        });
  }
}

void EchoServer::OnWorkerFailed(int index, const absl::Status& failure) {
  worker_failed_ = true;
  const std::string what =
      absl::StrCat("worker ", index, " failed: ", failure.message(),
                   "; its connections are reset, the others drain, and echod "
                   "exits");
  LogError(what);
  if (options_.on_worker_failed) options_.on_worker_failed(what);
  BeginDrain({});
}

void EchoServer::StopNow() {
  ECHOD_DCHECK(main_loop_.InLoopThread());
  if (state_ == State::kStopped || state_ == State::kStarting) return;
  grace_timer_.Disarm();
  drain_timer_.Disarm();
  deadline_timer_.Disarm();
  EndWorkers();
  listeners_.Close();
  state_ = State::kStopped;
  if (options_.on_stopped) options_.on_stopped();
}

std::int64_t EchoServer::CutOff() const {
  const Counters total = GetStats().total;
  const auto closed = [&](CloseReason reason) {
    return total.closed[static_cast<std::size_t>(reason)];
  };
  return closed(CloseReason::kDrainDeadline) + closed(CloseReason::kShutdown) +
         closed(CloseReason::kResourceExhausted);
}

bool EchoServer::DrainedCleanly() const {
  return CutOff() == cut_off_before_drain_ && !listeners_.LosesConnections() &&
         !worker_failed_;
}

}  // namespace echod
