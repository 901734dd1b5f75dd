// SPDX-License-Identifier: Apache-2.0

#include "echo/session/live_fields.h"

#include "echo/session/connection_state.h"

namespace echod {

std::uint64_t LiveFields::number() const { return connection_.number(); }

const std::string& LiveFields::listener_id() const {
  return connection_.listener().id;
}

std::int64_t LiveFields::listener_generation() const {
  return connection_.generation();
}

int LiveFields::worker() const { return connection_.context().worker_index(); }

ConnectionInfo::State LiveFields::state() const {
  return PublicState(connection_.state());
}

const SocketAddress& LiveFields::remote_address() const {
  return connection_.remote();
}

SocketAddress LiveFields::local_address() const {
  return connection_.transport_->LocalAddress();
}

MonotonicTime LiveFields::created() const { return connection_.created_; }

MonotonicTime LiveFields::last_active() const {
  return connection_.last_active_;
}

absl::Time LiveFields::WallTime(MonotonicTime time) const {
  return connection_.context().WallTime(time);
}

std::int64_t LiveFields::bytes_received() const {
  return connection_.bytes_received_;
}

std::int64_t LiveFields::bytes_sent() const { return connection_.bytes_sent_; }

std::int64_t LiveFields::bytes_buffered() const {
  return connection_.BufferedBytes();
}

std::int64_t LiveFields::lines_echoed() const {
  return connection_.lines_echoed_;
}

bool LiveFields::reading_paused() const {
  return connection_.IsStopped(ReadStop::kBackPressure);
}

}  // namespace echod
