// SPDX-License-Identifier: Apache-2.0

#include "echo/base/log_budget.h"

#include <algorithm>
#include <utility>

namespace echod {

LogBudget::LogBudget(Clock& clock)
    : clock_(clock),
      credit_(absl::Seconds(kBurst)),
      updated_(clock.MonotonicNow()) {}

std::optional<std::int64_t> LogBudget::Admit() {
  const MutexLock lock(mutex_);
  const MonotonicTime now = clock_.MonotonicNow();
  credit_ = std::min(credit_ + absl::FromChrono(now - updated_),
                     absl::Seconds(kBurst));
  updated_ = now;
  if (credit_ < absl::Seconds(1)) {
    ++refused_;
    return std::nullopt;
  }
  credit_ -= absl::Seconds(1);
  return std::exchange(refused_, 0);
}

}  // namespace echod
