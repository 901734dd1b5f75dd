// SPDX-License-Identifier: Apache-2.0

#ifndef ADMIN_TRANSPORT_BYTE_FLOW_H_
#define ADMIN_TRANSPORT_BYTE_FLOW_H_

#include <cstddef>
#include <optional>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/strings/string_view.h"
#include "echo/event/event_loop.h"
#include "echo/event/libevent.h"

namespace echod {

// One way of a relay: copies what comes from one stream socket into another,
// and the end of it, too. Holds no more than one read: while the receiver does
// not take it, or it may not go on, nothing is read. A turn of the loop copies
// a bounded number of bytes. Belongs to the thread of its loop.
class ByteFlow {
 public:
  enum class End {
    kFinished,  // the sender has finished, and the receiver been told
    kBroken,    // the sender's connection is broken, or no event can be had
    kStopped,   // `inspect` wanted it
  };
  struct Callbacks {
    // Sees all bytes before they go on, and says how many of them may now. When
    // it is none, the flow pauses until Resume, and asks again. Nothing stops
    // the flow.
    absl::AnyInvocable<std::optional<std::size_t>(absl::string_view)> inspect;
    // Comes once, last; may destroy the flow.
    absl::AnyInvocable<void(End)> on_end;
  };

  // The sockets are non-blocking, and outlive the flow.
  ByteFlow(EventLoop& loop, int from, int to, Callbacks callbacks);
  ByteFlow(const ByteFlow&) = delete;
  ByteFlow& operator=(const ByteFlow&) = delete;

  // Begins. False when the kernel has no room for the event.
  bool Start();

  // Ends a pause. May end the flow.
  void Resume();

  // Has nothing more to do.
  bool ended() const { return ended_; }

 private:
  static void OnReadable(evutil_socket_t fd, short what, void* self);
  static void OnWritable(evutil_socket_t fd, short what, void* self);

  enum class Wait { kNothing, kReadable, kWritable };

  void Read();
  // Passes on what waits, as far as it may and can.
  void Pump();
  // How much of what was cleared has gone, or none when it has to wait.
  std::size_t SendCleared();
  void WaitFor(Wait wait);
  void EndWith(End end);

  const int from_;
  const int to_;
  Callbacks callbacks_;
  EventPtr readable_;
  EventPtr writable_;
  Wait wait_ = Wait::kNothing;  // the event that is pending
  std::string waiting_;         // read, and not passed on
  std::size_t cleared_ = 0;     // of it, from the front, may be
  bool gone_ = false;           // the receiver takes nothing any more
  bool ended_ = false;
};

}  // namespace echod

#endif  // ADMIN_TRANSPORT_BYTE_FLOW_H_
