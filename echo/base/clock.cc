// SPDX-License-Identifier: Apache-2.0

#include "echo/base/clock.h"

#include <algorithm>
#include <ctime>

#include "absl/time/clock.h"

namespace echod {
namespace {

class RealClock final : public Clock {
 public:
  // The coarse clock costs a fifth of the precise one.
  MonotonicTime MonotonicNow() override { return Read(CLOCK_MONOTONIC_COARSE); }

  MonotonicTime PreciseNow() override { return Read(CLOCK_MONOTONIC); }

  absl::Time WallNow() override { return absl::Now(); }

 private:
  static MonotonicTime Read(clockid_t clock) {
    timespec now = {};
    clock_gettime(clock, &now);
    return MonotonicTime(std::chrono::seconds(now.tv_sec) +
                         std::chrono::nanoseconds(now.tv_nsec));
  }
};

}  // namespace

MonotonicTime TimeAfter(Clock& clock, absl::Duration after) {
  return clock.MonotonicNow() +
         absl::ToChronoNanoseconds(
             std::clamp(after, absl::ZeroDuration(), absl::Hours(24 * 3650)));
}

Clock& SystemClock() {
  static RealClock* const clock = new RealClock;
  return *clock;
}

}  // namespace echod
