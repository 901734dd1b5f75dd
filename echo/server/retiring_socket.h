// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_SERVER_RETIRING_SOCKET_H_
#define ECHO_SERVER_RETIRING_SOCKET_H_

#include <memory>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "echo/base/clock.h"
#include "echo/event/event_loop.h"
#include "echo/event/timer.h"
#include "echo/net/acceptor.h"

namespace echod {

// A listening socket that its listener gives up: it answers no new handshake,
// accepts the connections that wait in its queue and those whose handshake is
// under way, a batch in each turn of the loop, and then closes. See ADR 4.
// Belongs to the thread of its loop.
class RetiringSocket {
 public:
  // For clients whose handshake is under way: their last ACK is a round trip
  // behind.
  static constexpr absl::Duration kHandshakeGrace = absl::Milliseconds(100);

  // The port refuses from now on. `lost`: connections that still waited have
  // been reset, since they could not be accepted for too long. Must not destroy
  // the RetiringSocket.
  using ClosedCallback = absl::AnyInvocable<void(RetiringSocket&, bool lost)>;

  // `loop` and `clock` outlive it.
  RetiringSocket(EventLoop& loop, Clock& clock,
                 std::unique_ptr<Acceptor> acceptor, ClosedCallback on_closed);
  RetiringSocket(const RetiringSocket&) = delete;
  RetiringSocket& operator=(const RetiringSocket&) = delete;

  // Null once it has closed.
  const Acceptor* acceptor() const { return acceptor_.get(); }

 private:
  void Advance();
  void Close(bool lost);

  Clock& clock_;
  const MonotonicTime give_up_;  // though connections still wait
  std::unique_ptr<Acceptor> acceptor_;
  ClosedCallback on_closed_;
  int late_turns_ = 0;  // after give_up_
  Timer timer_;
};

}  // namespace echod

#endif  // ECHO_SERVER_RETIRING_SOCKET_H_
