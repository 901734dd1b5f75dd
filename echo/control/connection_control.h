// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_CONTROL_CONNECTION_CONTROL_H_
#define ECHO_CONTROL_CONNECTION_CONTROL_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "echo/control/connection_info.h"
#include "echo/control/reply.h"

namespace echod {

// Which connections a page shows.
struct ConnectionQuery {
  std::uint64_t after = 0;  // only connections with a higher number
  int limit = 50;           // the most to return, lowest numbers first
  bool with_tcp_info = false;
};

struct ConnectionPage {
  std::vector<ConnectionInfo> connections;  // in the order of their numbers
  bool more = false;                        // whether a further page exists
  std::int64_t total = 0;                   // open connections in all
};

// The same page as the workers have found it.
struct ConnectionParts {
  // By worker; each by number, and one more than `limit` where there is one.
  std::vector<std::vector<ConnectionInfo>> workers;
  std::size_t limit = 0;
  std::int64_t total = 0;  // open connections at this moment
};

// Makes one page of them. Takes time for each connection, so it is for whoever
// consumes the Reply, on a thread of its own, and not for a loop's.
// Thread-safe.
ConnectionPage MergeParts(ConnectionParts parts);

enum class CloseMode : std::uint8_t { kGraceful, kReset };

// What the admin plane may ask of connections. Thread-safe; see data_plane.h
// for what its methods promise.
class ConnectionControl {
 public:
  virtual ~ConnectionControl() = default;

  // Each worker works in small batches, however many connections it has.
  virtual void ListConnections(ConnectionQuery query,
                               Reply<ConnectionParts> reply) = 0;

  virtual void GetConnection(std::uint64_t number,
                             Reply<ConnectionInfo> reply) = 0;

  // The answer is the connection as it was when the close began.
  virtual void CloseConnection(std::uint64_t number, CloseMode mode,
                               Reply<ConnectionInfo> reply) = 0;
};

}  // namespace echod

#endif  // ECHO_CONTROL_CONNECTION_CONTROL_H_
