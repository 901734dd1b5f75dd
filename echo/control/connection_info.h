// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_CONTROL_CONNECTION_INFO_H_
#define ECHO_CONTROL_CONNECTION_INFO_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "echo/base/socket_address.h"

namespace echod {

// What the kernel knows of a connection.
struct TcpInfo {
  absl::Duration rtt;
  absl::Duration rtt_variance;
  std::int64_t retransmits = 0;
  std::int64_t congestion_window = 0;  // segments
  std::int64_t unacked = 0;            // segments
  std::int64_t delivery_rate = 0;      // bytes per second
};

// A connection at one moment. Plain values.
struct ConnectionInfo {
  enum class State : std::uint8_t {
    kOpen,
    kRemoteHalfClosed,
    kDraining,
    kClosing
  };

  std::uint64_t number = 0;
  std::string listener_id;
  std::int64_t listener_generation = 0;
  int worker = 0;
  State state = State::kOpen;
  std::string remote_address;  // host:port, IPv6 in brackets; or unix:
  std::string local_address;
  absl::Time create_time;
  absl::Time last_active_time;
  std::int64_t bytes_received = 0;
  std::int64_t bytes_sent = 0;
  std::int64_t bytes_buffered = 0;
  std::int64_t lines_echoed = 0;
  bool reading_paused = false;
  std::optional<TcpInfo> tcp_info;
  std::optional<PeerCredentials> peer_credentials;  // over a Unix socket
};

}  // namespace echod

#endif  // ECHO_CONTROL_CONNECTION_INFO_H_
