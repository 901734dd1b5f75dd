// SPDX-License-Identifier: Apache-2.0

#include "echo/server/walk_pace.h"

#include <algorithm>

namespace echod {

WalkPace::Duration WalkPace::Begin(Times times) {
  const Duration passed = times.now - begun_.now;
  Look(passed, times.cpu - begun_.cpu - used_ - kTurnOverhead);
  begun_ = times;
  used_ = Duration::zero();
  credit_ = std::min(credit_ + passed / kShare, kBurst);
  if (idle_) return kIdlePart;
  return credit_ > Duration::zero() ? kBusyPart : Duration::zero();
}

void WalkPace::Look(Duration passed, Duration for_clients) {
  window_passed_ += passed;
  window_for_clients_ += std::max(for_clients, Duration::zero());
  if (window_for_clients_ > std::max(window_passed_, kWindow) / kIdleShare) {
    idle_ = false;
  } else if (window_passed_ >= kWindow) {
    idle_ = true;
  } else {
    return;
  }
  window_passed_ = window_for_clients_ = Duration::zero();
}

void WalkPace::End(Times times) {
  used_ = times.cpu - begun_.cpu;
  if (!idle_) credit_ = std::max(credit_ - used_, -kMostOverdrawn);
}

WalkPace::Duration WalkPace::Wait() const {
  if (idle_ || credit_ > Duration::zero()) return Duration::zero();
  return std::min(-credit_ * kShare, kLongestWait);
}

}  // namespace echod
