#ifndef ECHO_ACCEPTOR_H_
#define ECHO_ACCEPTOR_H_

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "echo/base/socket_address.h"
#include "echo/base/unique_fd.h"
#include "echo/event/event_loop.h"
#include "echo/event/timer.h"
#include "echo/listen_socket.h"

namespace echod {

// Accepts connections from one listening socket, which it owns, and hands them
// to a callback. Belongs to the thread of its loop.
//
// A turn of the loop accepts a bounded number, so that a burst starves nobody.
// When no descriptor is left, the socket would stay readable and the loop would
// spin: accepting stops, and is tried again by timer. It stops a little before
// that, and leaves the last descriptors to the admin plane: gRPC's listener
// does not survive to find none.
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

  // `listening` comes from OpenListenSocket. Accepts from now on.
  Acceptor(EventLoop& loop, UniqueFd listening, Callbacks callbacks);
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;

  // Where it accepts.
  const SocketAddress& address() const { return address_; }

  int fd() const { return listening_.get(); }

  // Takes no new handshake any more; what is established, or about to be, is
  // accepted still, until the Acceptor is destroyed.
  void StopHandshakes();

  // Accepts all that waits at this moment. False when some of it has to go on
  // waiting, since descriptors have run out.
  bool AcceptWaiting();

  // Whether somebody waits to be accepted.
  bool SomebodyWaits() const;

 private:
  enum class Outcome { kAccepted, kNothingWaits, kExhausted };

  static void OnReadable(evutil_socket_t fd, short what, void* self);
  Outcome AcceptOne();
  Outcome AcceptUpTo(int most);
  bool HasRoom() const;
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
  bool in_episode_ = false;  // from the first failure until the queue is empty
};

}  // namespace echod

#endif  // ECHO_ACCEPTOR_H_
