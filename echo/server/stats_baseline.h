// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_SERVER_STATS_BASELINE_H_
#define ECHO_SERVER_STATS_BASELINE_H_

#include <map>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "echo/base/mutex.h"
#include "echo/control/stats.h"
#include "echo/session/listener_stats.h"

namespace echod {

// What had been counted at the last reset. The counters themselves never go
// back, so that whoever scrapes them, and the data plane, know of no reset.
// Thread-safe; not for a loop, since a reset reads all figures under a lock.
class StatsBaseline {
 public:
  // All figures since the process started.
  struct Reading {
    Stats stats;
    // Whose figures `stats.listeners` are: a listener that is created under the
    // name of a deleted one starts at zero.
    std::map<std::string, std::shared_ptr<const ListenerStats>> listeners;
  };
  using Read = absl::FunctionRef<Reading()>;

  StatsBaseline() = default;
  StatsBaseline(const StatsBaseline&) = delete;
  StatsBaseline& operator=(const StatsBaseline&) = delete;

  // The figures since the last reset.
  Stats Since(Read read) const;

  // The same, and resets: what is counted here is not counted in any later
  // answer, and what is not counted here is, whoever else resets meanwhile.
  Stats Reset(Read read);

 private:
  static Stats Difference(const Reading& now, const Reading* before);

  mutable Mutex mutex_;
  std::shared_ptr<const Reading> baseline_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace echod

#endif  // ECHO_SERVER_STATS_BASELINE_H_
