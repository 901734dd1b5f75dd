// SPDX-License-Identifier: Apache-2.0

#include "echo/session/listener_stats.h"

namespace echod {

Counters WorkerStats::Read() const {
  Counters counters;
  counters.accepted = accepted.Get();
  counters.active = active.Get();
  for (std::size_t i = 0; i < closed.size(); ++i) {
    counters.closed[i] = closed[i].Get();
  }
  counters.bytes_received = bytes_received.Get();
  counters.bytes_sent = bytes_sent.Get();
  counters.lines_echoed = lines_echoed.Get();
  counters.bytes_buffered = bytes_buffered.Get();
  counters.read_pauses = read_pauses.Get();
  echo_latency.AddTo(counters.echo_latency);
  connection_duration.AddTo(counters.connection_duration);
  return counters;
}

Counters ListenerStats::Total() const {
  std::vector<Counters> workers(workers_.size());
  return AddTo(workers);
}

Counters ListenerStats::AddTo(std::vector<Counters>& workers) const {
  Counters total;
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    const Counters worker = workers_[i].Read();
    total += worker;
    workers[i] += worker;
  }
  total.rejected_max_connections = rejected_max_connections.Get();
  total.rejected_max_connections_per_address =
      rejected_max_connections_per_address.Get();
  total.rejected_max_total_connections = rejected_max_total_connections.Get();
  total.accept_errors = accept_errors.Get();
  return total;
}

}  // namespace echod
