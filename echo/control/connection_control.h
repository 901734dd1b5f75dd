// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_CONTROL_CONNECTION_CONTROL_H_
#define ECHO_CONTROL_CONNECTION_CONTROL_H_

#include <cstdint>
#include <vector>

#include "echo/control/connection_info.h"
#include "echo/control/reply.h"

namespace echod {

// Which connections a page shows.
struct ConnectionQuery {
  std::uint64_t after = 0;  // only connections with a higher number
  int limit = 50;           // at most so many, the lowest numbers first
  bool with_tcp_info = false;
};

struct ConnectionPage {
  std::vector<ConnectionInfo> connections;  // by number
  bool more = false;                        // there are higher numbers
  std::int64_t total = 0;                   // open connections at this moment
};

enum class CloseMode : std::uint8_t { kGraceful, kReset };

// What the admin plane may ask of connections. Thread-safe; see data_plane.h
// for what its methods promise.
class ConnectionControl {
 public:
  virtual ~ConnectionControl() = default;

  // However many connections there are, each worker does its part in small
  // batches.
  virtual void ListConnections(ConnectionQuery query,
                               Reply<ConnectionPage> reply) = 0;

  virtual void GetConnection(std::uint64_t number,
                             Reply<ConnectionInfo> reply) = 0;

  // Answers with the connection as it was when the close began.
  virtual void CloseConnection(std::uint64_t number, CloseMode mode,
                               Reply<ConnectionInfo> reply) = 0;
};

}  // namespace echod

#endif  // ECHO_CONTROL_CONNECTION_CONTROL_H_
