// SPDX-License-Identifier: Apache-2.0

#include "echo/server/stats_baseline.h"

#include <cstddef>
#include <utility>

namespace echod {

Stats StatsBaseline::Since(Read read) const {
  std::shared_ptr<const Reading> baseline;
  {
    const MutexLock lock(mutex_);
    baseline = baseline_;
  }
  // Read after the baseline, so that nothing has counted less since.
  return Difference(read(), baseline.get());
}

Stats StatsBaseline::Reset(Read read) {
  const MutexLock lock(mutex_);
  auto now = std::make_shared<const Reading>(read());
  Stats before = Difference(*now, baseline_.get());
  baseline_ = std::move(now);
  return before;
}

Stats StatsBaseline::Difference(const Reading& now, const Reading* before) {
  Stats stats = now.stats;
  if (before == nullptr) return stats;
  stats.reset_time = before->stats.time;
  stats.log_lines_dropped -= before->stats.log_lines_dropped;
  stats.access_log_records_dropped -= before->stats.access_log_records_dropped;
  stats.config_reloads.succeeded -= before->stats.config_reloads.succeeded;
  stats.config_reloads.failed -= before->stats.config_reloads.failed;
  stats.total.Subtract(before->stats.total);
  for (auto& [id, counters] : stats.listeners) {
    const auto found = before->listeners.find(id);
    if (found == before->listeners.end() ||
        found->second != now.listeners.at(id)) {
      continue;
    }
    counters.Subtract(before->stats.listeners.at(id));
  }
  for (std::size_t i = 0; i < stats.workers.size(); ++i) {
    stats.workers[i].Subtract(before->stats.workers.at(i));
    stats.loop_lag[i] -= before->stats.loop_lag.at(i);
  }
  return stats;
}

}  // namespace echod
