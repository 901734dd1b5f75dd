// SPDX-License-Identifier: Apache-2.0

#include "echo/control/stats.h"

#include <cstddef>

namespace echod {

Counters& Counters::operator+=(const Counters& other) {
  accepted += other.accepted;
  active += other.active;
  rejected_max_connections += other.rejected_max_connections;
  rejected_max_connections_per_address +=
      other.rejected_max_connections_per_address;
  rejected_max_total_connections += other.rejected_max_total_connections;
  for (std::size_t i = 0; i < closed.size(); ++i) closed[i] += other.closed[i];
  bytes_received += other.bytes_received;
  bytes_sent += other.bytes_sent;
  lines_echoed += other.lines_echoed;
  bytes_buffered += other.bytes_buffered;
  read_pauses += other.read_pauses;
  accept_errors += other.accept_errors;
  echo_latency += other.echo_latency;
  connection_duration += other.connection_duration;
  return *this;
}

void Counters::Subtract(const Counters& earlier) {
  accepted -= earlier.accepted;
  rejected_max_connections -= earlier.rejected_max_connections;
  rejected_max_connections_per_address -=
      earlier.rejected_max_connections_per_address;
  rejected_max_total_connections -= earlier.rejected_max_total_connections;
  for (std::size_t i = 0; i < closed.size(); ++i) {
    closed[i] -= earlier.closed[i];
  }
  bytes_received -= earlier.bytes_received;
  bytes_sent -= earlier.bytes_sent;
  lines_echoed -= earlier.lines_echoed;
  read_pauses -= earlier.read_pauses;
  accept_errors -= earlier.accept_errors;
  echo_latency -= earlier.echo_latency;
  connection_duration -= earlier.connection_duration;
}

}  // namespace echod
