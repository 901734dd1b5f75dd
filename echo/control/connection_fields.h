// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_CONTROL_CONNECTION_FIELDS_H_
#define ECHO_CONTROL_CONNECTION_FIELDS_H_

#include <cstdint>
#include <string>

#include "absl/time/time.h"
#include "echo/base/clock.h"
#include "echo/base/socket_address.h"
#include "echo/control/connection_info.h"

namespace echod {

// The fields that connections are filtered and ordered by: those of
// ConnectionInfo except `tcp_info`, which takes a system call, and two derived
// ones.
enum class ConnectionField : std::uint8_t {
  kName,
  kListener,
  kListenerGeneration,
  kWorker,
  kState,
  kRemoteAddress,
  kLocalAddress,
  kCreateTime,
  kLastActiveTime,
  kBytesReceived,
  kBytesSent,
  kBytesBuffered,
  kLinesEchoed,
  kReadingPaused,
  kAge,   // the time since create_time
  kIdle,  // the time since last_active_time
};

// A connection whose fields are computed when they are asked for. Used on the
// thread of the connection.
class ConnectionFields {
 public:
  virtual ~ConnectionFields() = default;

  virtual std::uint64_t number() const = 0;
  virtual const std::string& listener_id() const = 0;
  virtual std::int64_t listener_generation() const = 0;
  virtual int worker() const = 0;
  virtual ConnectionInfo::State state() const = 0;
  virtual const SocketAddress& remote_address() const = 0;
  virtual SocketAddress local_address() const = 0;  // a system call
  virtual MonotonicTime created() const = 0;
  virtual MonotonicTime last_active() const = 0;
  // A moment of the connection's life on the wall clock.
  virtual absl::Time WallTime(MonotonicTime time) const = 0;
  virtual std::int64_t bytes_received() const = 0;
  virtual std::int64_t bytes_sent() const = 0;
  virtual std::int64_t bytes_buffered() const = 0;
  virtual std::int64_t lines_echoed() const = 0;
  virtual bool reading_paused() const = 0;
};

// The value of a field that is a number at any moment; 0 for times, which are
// numbers only in relation to a clock, and for what is no number.
std::int64_t NumberOf(const ConnectionFields& connection,
                      ConnectionField field);

// A condition on connections. Immutable and thread-safe.
class ConnectionPredicate {
 public:
  virtual ~ConnectionPredicate() = default;

  // Whether the connection fulfills it, at the time `now`. Takes a bounded
  // time, and allocates nothing.
  virtual bool Matches(const ConnectionFields& connection,
                       MonotonicTime now) const = 0;

  // A bound of the time that Matches takes, in sixteenths of a microsecond.
  virtual int cost() const = 0;
};

}  // namespace echod

#endif  // ECHO_CONTROL_CONNECTION_FIELDS_H_
