// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_EVENT_TIMER_H_
#define ECHO_EVENT_TIMER_H_

#include <chrono>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "echo/event/event_loop.h"

namespace echod {

// Calls back once, some time after it was armed, before anything ordinary that
// is ready at that time. Belongs to the thread of its loop, which must outlive
// it. Destroying or disarming it cancels the call.
//
// If the loop is very late, most likely because the process was stopped, the
// call comes after everything that is ready, since that may be what the timer
// was waiting for.
class Timer {
 public:
  Timer(EventLoop& loop, absl::AnyInvocable<void()> callback);
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  // Replaces an earlier arming. Zero or less is the next turn, behind what is
  // ready then.
  void Arm(absl::Duration after);
  void Disarm();
  bool armed() const;

 private:
  static void OnFired(evutil_socket_t fd, short what, void* self);

  absl::AnyInvocable<void()> callback_;
  EventPtr event_;
  std::chrono::steady_clock::time_point due_;
};

}  // namespace echod

#endif  // ECHO_EVENT_TIMER_H_
