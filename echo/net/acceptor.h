// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_NET_ACCEPTOR_H_
#define ECHO_NET_ACCEPTOR_H_

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "echo/base/socket_address.h"
#include "echo/base/unique_fd.h"
#include "echo/event/event_loop.h"
#include "echo/event/timer.h"
#include "echo/net/listen_socket.h"

namespace echod {

// Accepts connections from one listening socket, which it owns, and hands them
// to a callback. Belongs to the thread of its loop.
//
// A turn of the loop accepts a bounded number, so that a burst starves nobody;
// failed attempts count, too. When accepting keeps failing (no descriptor or
// memory is left, or a policy forbids it), or the socket cannot be watched, the
// socket would stay readable and the loop would spin: accepting stops, and is
// tried again by timer, with back-off and one log line for the episode. It
// may stop a little before descriptors run out, and leave the last of them to
// the rest of the process.
class Acceptor {
 public:
  struct Callbacks {
    // Gets each new socket, non-blocking.
    absl::AnyInvocable<void(UniqueFd, const SocketAddress&)> on_accept;
    // Those that could be accepted in this turn have been.
    absl::AnyInvocable<void()> on_accepted_all;
    // Is told of each failure to accept.
    absl::AnyInvocable<void()> on_error;
  };

  // Which descriptors connections may take.
  enum class Descriptors { kAllButTheLast, kAll };

  // `listening` comes from OpenListenSocket. Accepts from now on; where the
  // system has no watch left for the socket, when it has one again.
  Acceptor(EventLoop& loop, ListenSocket listening, Callbacks callbacks,
           Descriptors descriptors = Descriptors::kAllButTheLast);
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;

  // Where it accepts.
  const SocketAddress& address() const { return address_; }

  int fd() const { return listening_.get(); }

  // Takes no new handshake any more; what is established, or about to be, is
  // accepted still, until the Acceptor is destroyed.
  void StopHandshakes();

  // Accepts what waits at this moment, up to a bound. False when some of it has
  // to go on waiting, most often since descriptors have run out.
  bool AcceptWaiting();

  // Whether somebody waits to be accepted.
  bool SomebodyWaits() const;

 private:
  enum class Outcome {
    kAccepted,
    kTryAgain,  // this one failed, and the next may not
    kNothingWaits,
    kBackedOff,
  };

  static void OnReadable(evutil_socket_t fd, short what, void* self);
  Outcome AcceptOne();
  Outcome OnAcceptFailed(int error);
  Outcome AcceptUpTo(int most);
  bool HasRoom() const;
  void Watch();
  void Retry();
  void BackOff(int error);

  const UniqueFd listening_;
  const SocketAddress address_;
  Callbacks callbacks_;
  EventPtr readable_;
  Timer retry_;
  const int descriptor_ceiling_;  // connections are to have lower ones
  absl::Duration back_off_ = absl::ZeroDuration();  // zero: accepting
  HandshakeStop handshakes_ = HandshakeStop::kNone;
  int failures_in_a_row_ = 0;
  bool in_episode_ = false;  // from the first failure until the queue is empty
};

}  // namespace echod

#endif  // ECHO_NET_ACCEPTOR_H_
