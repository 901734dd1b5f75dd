// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_EVENT_LOOP_LAG_H_
#define ECHO_EVENT_LOOP_LAG_H_

#include <chrono>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "echo/base/histogram.h"
#include "echo/base/unique_fd.h"
#include "echo/event/event_loop.h"

namespace echod {

// Measures how late a loop serves: the time from when a descriptor becomes
// readable to when the loop calls its owner. The descriptor is a timer of the
// kernel's, ten times per second, so that it costs an echo nothing.
//
// A loop that is late for longer than a period counts once for each period, as
// late as it was for a descriptor that became readable then. So the percentiles
// are those of moments, not of measurements.
//
// Loop thread only, except where it says otherwise. The loop outlives it.
class LoopLag {
 public:
  static constexpr std::chrono::milliseconds kPeriod{100};
  // Of one delay, the most periods that count; the process may have been
  // stopped for days.
  static constexpr int kMostPeriods = 600;

  // `wanted` says whether to go on measuring. While it does not, the loop
  // sleeps undisturbed.
  LoopLag(EventLoop& loop, absl::AnyInvocable<bool()> wanted);
  LoopLag(const LoopLag&) = delete;
  LoopLag& operator=(const LoopLag&) = delete;

  // RESOURCE_EXHAUSTED when the system has no descriptor or epoll watch left;
  // nothing is measured then. Once, before Resume.
  absl::Status Begin();

  // Measures again, now that it is wanted.
  void Resume() {
    if (!armed_) Arm(std::chrono::steady_clock::now() + kPeriod);
  }

  // In nanoseconds. Reading is thread-safe.
  const SharedHistogram& lags() const { return lags_; }

 private:
  using Time = std::chrono::steady_clock::time_point;

  static void OnExpired(evutil_socket_t fd, short what, void* self);
  void Measure();
  void Arm(Time due);

  EventLoop& loop_;
  absl::AnyInvocable<bool()> wanted_;
  UniqueFd timer_fd_;
  EventPtr event_;
  bool armed_ = false;
  Time due_;
  SharedHistogram lags_;
};

}  // namespace echod

#endif  // ECHO_EVENT_LOOP_LAG_H_
