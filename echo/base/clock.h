// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_BASE_CLOCK_H_
#define ECHO_BASE_CLOCK_H_

#include <chrono>

#include "absl/time/time.h"

namespace echod {

// A point in time on a clock that never goes back.
using MonotonicTime = std::chrono::steady_clock::time_point;

// The data plane's source of time; tests replace it. Implementations are
// thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;

  // For deadlines. Behind the precise time by up to a few milliseconds.
  virtual MonotonicTime MonotonicNow() = 0;

  // For measuring. Costs several times as much.
  virtual MonotonicTime PreciseNow() = 0;

  // For display.
  virtual absl::Time WallNow() = 0;
};

// The time `after` from now, which is clamped to between zero and ten years.
MonotonicTime TimeAfter(Clock& clock, absl::Duration after);

// The system's clock. Never destroyed.
Clock& SystemClock();

}  // namespace echod

#endif  // ECHO_BASE_CLOCK_H_
