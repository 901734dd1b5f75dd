// SPDX-License-Identifier: Apache-2.0

#include "echo/event/loop_lag.h"

#include <sys/timerfd.h>

#include <cerrno>
#include <cstdint>
#include <utility>

#include "echo/base/check.h"
#include "echo/base/resource_error.h"
#include "echo/event/libevent.h"

namespace echod {

LoopLag::LoopLag(EventLoop& loop, absl::AnyInvocable<bool()> wanted)
    : loop_(loop), wanted_(std::move(wanted)) {}

absl::Status LoopLag::Begin() {
  // libevent's own timers would do no better than some milliseconds.
  UniqueFd timer_fd(
      timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
  if (!timer_fd.valid()) {
    return ResourceError("measure the lag of an event loop", errno);
  }
  // Edge-triggered: arming resets the timer, so nothing has to be read.
  EventPtr event(event_new(loop_.base(), timer_fd.get(),
                           EV_READ | EV_PERSIST | EV_ET, &LoopLag::OnExpired,
                           this));
  ECHOD_CHECK(event != nullptr);
  if (event_add(event.get(), nullptr) != 0) {
    return ResourceError("measure the lag of an event loop", errno);
  }
  timer_fd_ = std::move(timer_fd);
  event_ = std::move(event);
  return absl::OkStatus();
}

void LoopLag::Arm(Time due) {
  if (event_ == nullptr) return;
  using std::chrono::duration_cast;
  using std::chrono::nanoseconds;
  using std::chrono::seconds;
  const auto since = due.time_since_epoch();
  const auto whole = duration_cast<seconds>(since);
  itimerspec expiry = {};
  expiry.it_value.tv_sec = whole.count();
  expiry.it_value.tv_nsec = duration_cast<nanoseconds>(since - whole).count();
  armed_ = timerfd_settime(timer_fd_.get(), TFD_TIMER_ABSTIME, &expiry,
                           nullptr) == 0;
  due_ = due;
}

void LoopLag::OnExpired(evutil_socket_t /*fd*/, short /*what*/, void* self) {
  static_cast<LoopLag*>(self)->Measure();
}

void LoopLag::Measure() {
  const Time now = std::chrono::steady_clock::now();
  if (now < due_) return;
  for (int i = 0; i < kMostPeriods && due_ <= now; ++i, due_ += kPeriod) {
    lags_.Record(static_cast<std::uint64_t>((now - due_).count()));
  }
  armed_ = false;
  if (wanted_()) Arm(due_ > now ? due_ : now + kPeriod);
}

}  // namespace echod
