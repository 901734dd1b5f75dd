// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_SESSION_LIVE_FIELDS_H_
#define ECHO_SESSION_LIVE_FIELDS_H_

#include <cstdint>
#include <string>

#include "absl/time/time.h"
#include "echo/base/clock.h"
#include "echo/base/socket_address.h"
#include "echo/control/connection_fields.h"
#include "echo/control/connection_info.h"
#include "echo/session/connection.h"

namespace echod {

// The fields of an open connection, as they are when they are asked for. Loop
// thread only. The connection outlives it.
class LiveFields final : public ConnectionFields {
 public:
  explicit LiveFields(const Connection& connection) : connection_(connection) {}

  std::uint64_t number() const override;
  const std::string& listener_id() const override;
  std::int64_t listener_generation() const override;
  int worker() const override;
  ConnectionInfo::State state() const override;
  const SocketAddress& remote_address() const override;
  SocketAddress local_address() const override;
  MonotonicTime created() const override;
  MonotonicTime last_active() const override;
  absl::Time WallTime(MonotonicTime time) const override;
  std::int64_t bytes_received() const override;
  std::int64_t bytes_sent() const override;
  std::int64_t bytes_buffered() const override;
  std::int64_t lines_echoed() const override;
  bool reading_paused() const override;

 private:
  const Connection& connection_;
};

}  // namespace echod

#endif  // ECHO_SESSION_LIVE_FIELDS_H_
