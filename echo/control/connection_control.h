// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_CONTROL_CONNECTION_CONTROL_H_
#define ECHO_CONTROL_CONNECTION_CONTROL_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/time/time.h"
#include "echo/control/connection_fields.h"
#include "echo/control/connection_info.h"
#include "echo/control/connection_order.h"
#include "echo/control/reply.h"
#include "echo/control/session_event.h"

namespace echod {

// Of a question that takes a look at many connections: becomes true when nobody
// waits for the answer any more. Null: never.
using Abandonment = std::shared_ptr<const std::atomic<bool>>;

inline bool IsAbandoned(const Abandonment& abandonment) {
  return abandonment != nullptr && abandonment->load(std::memory_order_relaxed);
}

// Which connections a page shows.
struct ConnectionQuery {
  std::shared_ptr<const ConnectionPredicate> filter;  // null: all
  ConnectionOrder order = {};
  std::optional<OrderPlace> after = {};  // only those behind it in the order
  int limit = 50;                        // the most to return, in the order
  bool with_tcp_info = false;
  bool places_only = false;  // only their places in the order
  // With a filter: count all that match, not only those of the page.
  bool count_matches = false;
  Abandonment abandonment = {};
};

struct ConnectionPage {
  std::vector<ConnectionInfo> connections;  // in the order of the query
  // The place of the last one, which may be missing because it has closed.
  // Unset if nothing was found.
  std::optional<OrderPlace> last;
  bool more = false;  // whether a further page exists
  // Open connections in all; with a filter, those that were counted.
  std::int64_t total = 0;
};

// What a worker has for a page: the first in the order, and one more than
// `limit` where there is one.
struct ConnectionPart {
  std::vector<OrderPlace> places;  // in any order
  // Of the same connections, unless only places are asked for. One that has
  // closed meanwhile has the number 0.
  std::vector<ConnectionInfo> connections;
  std::int64_t matches = 0;  // those that were counted
};

// The same page as the workers have found it.
struct ConnectionParts {
  std::vector<ConnectionPart> workers;
  std::size_t limit = 0;
  std::int64_t total = 0;
};

// Makes one page of them. Takes time for each connection, so it is for whoever
// consumes the Reply, on a thread of its own, and not for a loop's.
// Thread-safe.
ConnectionPage MergeParts(ConnectionParts parts);

enum class CloseMode : std::uint8_t { kGraceful, kReset };

// Which connections to close, and how.
struct ConnectionClosing {
  std::shared_ptr<const ConnectionPredicate> filter;  // null: all
  CloseMode mode = CloseMode::kGraceful;
  // The closes are spread evenly over this time.
  absl::Duration spread = absl::ZeroDuration();
  bool validate_only = false;  // select and count, and close nothing
  Abandonment abandonment;     // of one that is validate_only
};

// What has been closed, or would be.
struct ClosedConnections {
  std::int64_t count = 0;
  // Some of them as they were before: those with the lowest numbers, and
  // kMostSampled from each worker. In any order.
  std::vector<ConnectionInfo> sample;

  static constexpr std::size_t kMostSampled = 10;
};

struct WatchBegun {};

// What the admin plane may ask of connections. Thread-safe; see data_plane.h
// for what its methods promise.
class ConnectionControl {
 public:
  virtual ~ConnectionControl() = default;

  // Each worker works in small batches, however many connections it has. With
  // an order, its memory is bounded by the limit. Figures of a connection may
  // change after the order has been established, and before they are read.
  virtual void ListConnections(ConnectionQuery query,
                               Reply<ConnectionParts> reply) = 0;

  virtual void GetConnection(std::uint64_t number,
                             Reply<ConnectionInfo> reply) = 0;

  // The answer is the connection as it was when the close began.
  virtual void CloseConnection(std::uint64_t number, CloseMode mode,
                               Reply<ConnectionInfo> reply) = 0;

  // Selects among the connections that are on workers when they are asked.
  // Answers when each of them has begun to close; with a spread, when all have
  // been selected. RESOURCE_EXHAUSTED with TOO_MANY_DRAINS if too many closes
  // are being spread.
  virtual void CloseConnections(ConnectionClosing closing,
                                Reply<ClosedConnections> reply) = 0;

  // Passes the events of all connections on to `sink`, and answers once no
  // further one is missed. In the order of the events of each connection.
  virtual void WatchConnections(std::shared_ptr<SessionEventSink> sink,
                                Reply<WatchBegun> reply) = 0;
  // Lets go of `sink`, soon. Once for each WatchConnections, and after it.
  virtual void StopWatching(std::shared_ptr<SessionEventSink> sink) = 0;
};

}  // namespace echod

#endif  // ECHO_CONTROL_CONNECTION_CONTROL_H_
