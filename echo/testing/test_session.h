// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_TESTING_TEST_SESSION_H_
#define ECHO_TESTING_TEST_SESSION_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "echo/base/socket_address.h"
#include "echo/control/close_reason.h"
#include "echo/control/listener_settings.h"
#include "echo/control/stats.h"
#include "echo/event/event_loop.h"
#include "echo/session/connection.h"
#include "echo/session/connection_context.h"
#include "echo/session/connection_state.h"
#include "echo/session/listener_stats.h"
#include "echo/session/session_counters.h"
#include "echo/session/session_observer.h"
#include "echo/testing/fake_clock.h"
#include "echo/testing/fake_transport.h"

namespace echod {

// One Connection on a FakeTransport, without a socket and without a running
// loop: the test is the peer, the kernel, the clock and the operator.
class TestSession final : private SessionObserver {
 public:
  explicit TestSession(const ListenerSettings& settings = {})
      : loop_(*EventLoop::Create()),
        stats_(std::make_shared<ListenerStats>(1)),
        context_(*loop_, clock_, 0, {&counters_, this},
                 [this](Connection& /*ended*/) { connection_.reset(); }) {
    listener_ = {.id = "default",
                 .settings = settings,
                 .all_stats = stats_,
                 .stats = &stats_->worker(0),
                 .context = &context_};
    connection_ = std::make_unique<Connection>(
        listener_, 1, 1,
        [this](TransportSpace& /*space*/) {
          return TransportPtr(new FakeTransport(peer));
        },
        SocketAddress());
  }

  void Start() { connection_->Start(); }

  // Null when it has ended.
  Connection* connection() { return connection_.get(); }
  ConnectionState state() const {
    return connection_ == nullptr ? ConnectionState::kEnded
                                  : connection_->state();
  }
  // Why it has ended; nothing while it has not.
  std::optional<CloseReason> closed() const { return closed_; }

  // Drains it as an operator's graceful close does, with 60 seconds to do so.
  void Drain() {
    if (connection_ == nullptr) return;
    connection_->Drain(
        CloseReason::kAdminGraceful,
        clock_.MonotonicNow() + absl::ToChronoNanoseconds(absl::Seconds(60)));
  }

  // Advances the clock, and lets the connection check its deadlines.
  void Advance(absl::Duration by) {
    clock_.Advance(by);
    if (connection_ != nullptr) connection_->OnDeadline();
  }

  void ChangeSettings(const ListenerSettings& settings) {
    listener_.settings = settings;
    if (connection_ != nullptr) connection_->OnSettingsChanged();
  }

  FakeClock& clock() { return clock_; }

  Counters Read() const { return stats_->worker(0).Read(); }

  // What the observers were told: `o`pened, `p`aused, `r`esumed, `c`losed.
  const std::string& events() const { return events_; }

  FakePeer peer;

 private:
  void OnOpened(const Connection& /*connection*/) override { events_ += 'o'; }
  void OnPaused(const Connection& /*connection*/) override { events_ += 'p'; }
  void OnResumed(const Connection& /*connection*/) override { events_ += 'r'; }
  void OnClosed(const Connection& /*connection*/, CloseReason reason) override {
    events_ += 'c';
    closed_ = reason;
  }

  FakeClock clock_;
  const std::unique_ptr<EventLoop> loop_;
  const std::shared_ptr<ListenerStats> stats_;
  SessionCounters counters_;
  ConnectionContext context_;
  WorkerListener listener_;
  std::unique_ptr<Connection> connection_;
  std::optional<CloseReason> closed_;
  std::string events_;
};

// Leads a started session with these settings to `state`, along the table of
// transitions. The peer's window is closed and its kernel confirms nothing, so
// the session stays there.
ListenerSettings WalkSettings();
void WalkTo(TestSession& session, ConnectionState state);

// Causes `event`.
void Apply(TestSession& session, ConnectionEvent event);

// For messages.
std::string Name(ConnectionState state);
std::string Name(ConnectionEvent event);

inline constexpr int kConnectionStates =
    static_cast<int>(ConnectionState::kEnded) + 1;
inline constexpr int kConnectionEvents =
    static_cast<int>(ConnectionEvent::kCut) + 1;

}  // namespace echod

#endif  // ECHO_TESTING_TEST_SESSION_H_
