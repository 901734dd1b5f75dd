// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_BASE_LOG_BUDGET_H_
#define ECHO_BASE_LOG_BUDGET_H_

#include <cstdint>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "echo/base/clock.h"
#include "echo/base/mutex.h"

namespace echod {

// Limits the rate of log lines that others can trigger: a burst of ten, and
// then one per second. Thread-safe.
class LogBudget {
 public:
  static constexpr int kBurst = 10;

  // `clock` must outlive the budget.
  explicit LogBudget(Clock& clock);

  // Returns the number of lines refused since the last admitted one, or nullopt
  // if this line must not be logged.
  std::optional<std::int64_t> Admit();

 private:
  Clock& clock_;
  Mutex mutex_;
  absl::Duration credit_ ABSL_GUARDED_BY(mutex_);  // one second per line
  MonotonicTime updated_ ABSL_GUARDED_BY(mutex_);
  std::int64_t refused_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace echod

#endif  // ECHO_BASE_LOG_BUDGET_H_
