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

// One direction of a relay: copies bytes, and the end of the stream, from one
// stream socket to another. Buffers at most one read, and does not read while
// the receiver is blocked or the flow is paused. Copies a bounded number of
// bytes per turn of the loop. Loop thread only.
class ByteFlow {
 public:
  enum class End {
    kFinished,  // the end of the stream has been passed on
    kBroken,    // the sender's connection failed, or an event did
    kStopped,   // `inspect` requested it
  };
  struct Callbacks {
    // Inspects all bytes before they are passed on. Returns how many may pass
    // now; at 0, the flow pauses until Resume, and calls again with the same
    // bytes. nullopt stops the flow.
    absl::AnyInvocable<std::optional<std::size_t>(absl::string_view)> inspect;
    // Called once, as the last callback. May destroy the flow.
    absl::AnyInvocable<void(End)> on_end;
  };

  // The sockets are non-blocking, and outlive the flow.
  ByteFlow(EventLoop& loop, int from, int to, Callbacks callbacks);
  ByteFlow(const ByteFlow&) = delete;
  ByteFlow& operator=(const ByteFlow&) = delete;

  // Starts copying. False if the kernel has no resources for the event.
  bool Start();

  // Ends a pause. May end the flow.
  void Resume();

  // Whether the flow has ended.
  bool ended() const { return ended_; }

 private:
  static void OnReadable(evutil_socket_t fd, short what, void* self);
  static void OnWritable(evutil_socket_t fd, short what, void* self);

  enum class Wait { kNothing, kReadable, kWritable };

  void Read();
  // Passes on buffered bytes, as far as inspection and receiver permit.
  void Pump();
  // Returns how many cleared bytes were sent; 0 if the receiver is blocked.
  std::size_t SendCleared();
  void WaitFor(Wait wait);
  void EndWith(End end);

  const int from_;
  const int to_;
  Callbacks callbacks_;
  EventPtr readable_;
  EventPtr writable_;
  Wait wait_ = Wait::kNothing;  // the pending event
  std::string waiting_;         // read and not passed on
  std::size_t cleared_ = 0;     // bytes of waiting_ that passed inspection
  bool gone_ = false;           // the receiver has closed
  bool out_of_memory_ = false;  // a send has failed for want of memory
  bool ended_ = false;
};

}  // namespace echod

#endif  // ADMIN_TRANSPORT_BYTE_FLOW_H_
