// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_NET_ACCEPTOR_H_
#define ECHO_NET_ACCEPTOR_H_

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "echo/base/listen_address.h"
#include "echo/base/socket_address.h"
#include "echo/base/unique_fd.h"
#include "echo/event/event_loop.h"
#include "echo/event/timer.h"
#include "echo/net/listen_socket.h"
#include "echo/net/socket_file.h"

namespace echod {

// What the acceptors of one loop share: the more there are, the less each takes
// of a turn. Belongs to the thread of the loop; outlives its acceptors.
class AcceptorGroup {
 public:
  void Join() { ++acceptors_; }
  void Leave() { --acceptors_; }

  // How many connections each acceptor may accept in one turn of the loop.
  int MostPerTurn() const;

 private:
  int acceptors_ = 0;
};

// Accepts connections from one listening socket, which it owns, and hands them
// to a callback. Belongs to the thread of its loop.
//
// A turn of the loop accepts a bounded number, so that a burst starves nothing
// else; failed attempts count, too. When accepting keeps failing (no descriptor
// or memory is left, or a policy forbids it), or the socket cannot be watched,
// the socket would stay readable and the loop would spin: accepting stops, and
// is tried again by timer, with back-off and one log line for the episode. It
// may stop a little before descriptors run out, and leave the last of them to
// the rest of the process.
class Acceptor {
 public:
  struct Callbacks {
    // Gets each new socket, non-blocking.
    absl::AnyInvocable<void(UniqueFd, const SocketAddress&)> on_accept;
    // Called after the last on_accept of a turn.
    absl::AnyInvocable<void()> on_accepted_all;
    // Called after each failure to accept.
    absl::AnyInvocable<void()> on_error;
  };

  // Which descriptors connections may take.
  enum class Descriptors { kAllButTheLast, kAll };

  // `listening` comes from OpenListenSocket. Accepts from now on; where the
  // system has no watch left for the socket, when it has one again. `group` may
  // be null: then nothing is shared.
  Acceptor(EventLoop& loop, ListenSocket listening, Callbacks callbacks,
           Descriptors descriptors = Descriptors::kAllButTheLast,
           AcceptorGroup* group = nullptr);
  ~Acceptor();
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;

  // Where it accepts.
  const ListenAddress& address() const { return address_; }

  // Whether another process has the socket, too: then its queue does not end
  // with the Acceptor.
  bool inherited() const { return inherited_; }

  int fd() const { return listening_.get(); }

  // A second descriptor of the socket, for an Acceptor that is to take it over;
  // without the file of a Unix socket. RESOURCE_EXHAUSTED if none is left.
  absl::StatusOr<ListenSocket> Duplicate() const;

  // The duplicate gets the queue, with the file that this returns. To be
  // destroyed in the same turn of the loop.
  SocketFile PassOn();
  bool passed_on() const { return passed_on_; }

  // Stops accepting, or goes on. While paused, the kernel still answers
  // handshakes, and new connections wait in its queue.
  void Pause();
  void Resume();

  // Answers no new handshake from now on; a Unix socket loses its file.
  // Connections that are established, or about to be, are still accepted, until
  // the Acceptor is destroyed.
  void StopHandshakes();

  // The connections that wait to be accepted.
  enum class Queue {
    kEmpty,
    kMoving,  // each turn of the loop accepts a batch of them
    kStuck,   // accepting fails, most often for want of descriptors
  };
  // Where accepting has failed, tries again first, for one batch, rather than
  // when the back-off is over.
  Queue CheckQueue();

  // Whether connections wait to be accepted.
  bool HasWaiting() const;

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
  void AcceptBatch();
  bool HasRoom() const;
  void Watch();
  void Retry();
  void BackOff(int error);

  const UniqueFd listening_;
  const ListenAddress address_;
  SocketFile file_;  // goes before the socket closes
  const bool inherited_;
  Callbacks callbacks_;
  EventPtr readable_;
  Timer retry_;
  const int descriptor_ceiling_;  // connections are to have lower ones
  AcceptorGroup* const group_;    // borrowed; may be null
  absl::Duration back_off_ = absl::ZeroDuration();  // zero: accepting
  HandshakeStop handshakes_ = HandshakeStop::kNone;
  int failures_in_a_row_ = 0;
  bool paused_ = false;
  bool passed_on_ = false;
  bool in_episode_ = false;  // from the first failure until the queue is empty
};

}  // namespace echod

#endif  // ECHO_NET_ACCEPTOR_H_
