// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_EVENT_TIMER_H_
#define ECHO_EVENT_TIMER_H_

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "echo/event/event_loop.h"

namespace echod {

// Calls back once, some time after it was armed. Belongs to the thread of its
// loop, which must outlive it. Destroying or disarming it takes the call back.
class Timer {
 public:
  Timer(EventLoop& loop, absl::AnyInvocable<void()> callback);
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  // Replaces an earlier arming. Less than zero is zero: the next turn.
  void Arm(absl::Duration after);
  void Disarm();
  bool armed() const;

 private:
  static void OnFired(evutil_socket_t fd, short what, void* self);

  absl::AnyInvocable<void()> callback_;
  EventPtr event_;
};

}  // namespace echod

#endif  // ECHO_EVENT_TIMER_H_
