// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_CONTROL_STATS_H_
#define ECHO_CONTROL_STATS_H_

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "echo/base/histogram.h"
#include "echo/control/close_reason.h"
#include "echo/control/config_reloads.h"

namespace echod {

// Counters and gauges of the server, a listener or a worker. Plain values.
struct Counters {
  std::int64_t accepted = 0;
  std::int64_t active = 0;
  std::int64_t rejected_max_connections = 0;
  std::int64_t rejected_max_connections_per_address = 0;
  std::int64_t rejected_max_total_connections = 0;
  std::array<std::int64_t, kCloseReasonCount> closed = {};  // by CloseReason
  std::int64_t bytes_received = 0;
  std::int64_t bytes_sent = 0;
  std::int64_t lines_echoed = 0;
  std::int64_t bytes_buffered = 0;
  std::int64_t read_pauses = 0;
  std::int64_t accept_errors = 0;
  // From having read bytes to having handed their echo to the kernel, for each
  // read that was answered; in nanoseconds.
  Histogram echo_latency = FigureHistogram();
  // Of the connections that have closed; in microseconds.
  Histogram connection_duration = FigureHistogram();

  Counters& operator+=(const Counters& other);

  // Takes away what had been counted at an earlier time. Gauges keep their
  // values.
  void Subtract(const Counters& earlier);
};

// All figures at one moment. Plain values.
struct Stats {
  absl::Time time;
  absl::Duration uptime;
  // The figures count from this moment; unset: from the start.
  std::optional<absl::Time> reset_time;
  std::int64_t log_lines_dropped = 0;
  std::int64_t access_log_records_dropped = 0;
  ConfigReloads::Counts config_reloads;
  Counters total;
  // By id, those that there are. Deleted ones count in the others only.
  std::map<std::string, Counters> listeners;
  std::vector<Counters> workers;  // by worker index
  // How late each worker's loop serves a descriptor; in nanoseconds.
  std::vector<Histogram> loop_lag;  // by worker index
};

}  // namespace echod

#endif  // ECHO_CONTROL_STATS_H_
