// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_SESSION_LISTENER_STATS_H_
#define ECHO_SESSION_LISTENER_STATS_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "echo/base/histogram.h"
#include "echo/base/relaxed_counter.h"
#include "echo/control/close_reason.h"
#include "echo/control/stats.h"
#include "echo/session/address_counts.h"
#include "echo/session/generation_counts.h"

namespace echod {

// What one worker counts for one listener. Written by that worker only, and on
// cache lines of its own. A connection belongs to one of these for life.
struct alignas(64) WorkerStats {
  RelaxedCounter accepted;
  RelaxedCounter active;
  std::array<RelaxedCounter, kCloseReasonCount> closed;
  RelaxedCounter bytes_received;
  RelaxedCounter bytes_sent;
  RelaxedCounter lines_echoed;
  RelaxedCounter bytes_buffered;
  RelaxedCounter read_pauses;
  SharedHistogram echo_latency;         // nanoseconds
  SharedHistogram connection_duration;  // microseconds

  // Thread-safe. The fields are read one by one.
  Counters Read() const;
};

// The figures of one listener. They outlive its sockets, so a port change keeps
// the counts. Reading is thread-safe; each part has one writer.
class ListenerStats {
 public:
  explicit ListenerStats(int worker_count)
      : workers_(static_cast<std::size_t>(worker_count)) {}

  std::size_t worker_count() const { return workers_.size(); }

  WorkerStats& worker(int index) {
    return workers_[static_cast<std::size_t>(index)];
  }
  const WorkerStats& worker(int index) const {
    return workers_[static_cast<std::size_t>(index)];
  }

  // The sum over the workers, with what the main loop counts. Thread-safe.
  Counters Total() const;
  // The same; and adds each worker's part to its place in `workers`, which has
  // one for each. Each figure is read once.
  Counters AddTo(std::vector<Counters>& workers) const;

  // Sockets that have been accepted and not closed, including those on their
  // way to a worker. The main loop adds, the workers subtract.
  std::atomic<std::int64_t> open_connections{0};

  // The same by client address.
  AddressCounts open_by_address;

  // The same by generation.
  GenerationCounts open_by_generation;

  // Main loop only.
  RelaxedCounter rejected_max_connections;
  RelaxedCounter rejected_max_connections_per_address;
  RelaxedCounter rejected_max_total_connections;
  RelaxedCounter accept_errors;

 private:
  std::vector<WorkerStats> workers_;
};

}  // namespace echod

#endif  // ECHO_SESSION_LISTENER_STATS_H_
