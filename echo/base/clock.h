// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_BASE_CLOCK_H_
#define ECHO_BASE_CLOCK_H_

#include <chrono>

#include "absl/time/time.h"

namespace echod {

// A moment on a clock that never goes back.
using MonotonicTime = std::chrono::steady_clock::time_point;

// Where the data plane gets its time, so that tests can hand it theirs.
// Implementations are thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;

  // For deadlines and durations. Coarse: to within a few milliseconds, since it
  // is asked for at every read.
  virtual MonotonicTime MonotonicNow() = 0;

  // For people.
  virtual absl::Time WallNow() = 0;
};

// So long after the clock's present; negative is the present, and no more than
// ten years.
MonotonicTime TimeAfter(Clock& clock, absl::Duration after);

// The machine's clock. Lives for ever.
Clock& SystemClock();

}  // namespace echod

#endif  // ECHO_BASE_CLOCK_H_
