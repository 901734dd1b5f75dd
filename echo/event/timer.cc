// SPDX-License-Identifier: Apache-2.0

#include "echo/event/timer.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "echo/base/check.h"
#include "echo/event/libevent.h"

namespace echod {
namespace {

// No bounded turn takes so long.
constexpr std::chrono::milliseconds kVeryLate{100};

}  // namespace

Timer::Timer(EventLoop& loop, absl::AnyInvocable<void()> callback)
    : callback_(std::move(callback)),
      event_(evtimer_new(loop.base(), &Timer::OnFired, this)) {
  ECHOD_CHECK(event_ != nullptr);
}

void Timer::Arm(absl::Duration after) {
  // A hundred years are as good as forever, and fit into a timeval.
  const absl::Duration bounded =
      std::clamp(after, absl::ZeroDuration(), absl::Hours(24 * 36500));
  const timeval delay = absl::ToTimeval(bounded);
  evtimer_del(event_.get());  // libevent gives no new priority to an active one
  event_priority_set(event_.get(), bounded > absl::ZeroDuration()
                                       ? kUrgentPriority
                                       : kOrdinaryPriority);
  due_ = std::chrono::steady_clock::now() + absl::ToChronoNanoseconds(bounded);
  // Fails only where malloc does.
  ECHOD_CHECK(evtimer_add(event_.get(), &delay) == 0);
}

void Timer::Disarm() { evtimer_del(event_.get()); }

bool Timer::armed() const {
  return evtimer_pending(event_.get(), nullptr) != 0;
}

void Timer::OnFired(evutil_socket_t /*fd*/, short /*what*/, void* self) {
  auto* const timer = static_cast<Timer*>(self);
  if (event_get_priority(timer->event_.get()) == kUrgentPriority &&
      std::chrono::steady_clock::now() >= timer->due_ + kVeryLate) {
    timer->Arm(absl::ZeroDuration());
    return;
  }
  timer->callback_();
}

}  // namespace echod
