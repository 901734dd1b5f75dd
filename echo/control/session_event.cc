// SPDX-License-Identifier: Apache-2.0

#include "echo/control/session_event.h"

namespace echod {
namespace {

absl::Time ToWall(const ConnectionValues& values, MonotonicTime time) {
  return values.wall_epoch + absl::FromChrono(time.time_since_epoch());
}

}  // namespace

ConnectionInfo ToInfo(const ConnectionValues& values) {
  ConnectionInfo info;
  info.number = values.number;
  info.listener_id = values.listener_id;
  info.listener_generation = values.listener_generation;
  info.worker = values.worker;
  info.state = values.state;
  info.remote_address = values.remote_address.ToString();
  info.peer_credentials = values.remote_address.credentials();
  info.local_address = values.local_address.ToString();
  info.create_time = ToWall(values, values.created);
  info.last_active_time = ToWall(values, values.last_active);
  info.bytes_received = values.bytes_received;
  info.bytes_sent = values.bytes_sent;
  info.bytes_buffered = values.bytes_buffered;
  info.lines_echoed = values.lines_echoed;
  info.reading_paused = values.reading_paused;
  return info;
}

absl::Time FieldsOfValues::WallTime(MonotonicTime time) const {
  return ToWall(values_, time);
}

absl::Time WallTimeOf(const SessionEvent& event) {
  return ToWall(event.connection, event.time);
}

}  // namespace echod
