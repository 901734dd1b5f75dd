// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_CONTROL_SERVER_CONTROL_H_
#define ECHO_CONTROL_SERVER_CONTROL_H_

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "echo/control/close_reason.h"
#include "echo/control/reply.h"

// What the admin plane may ask of the data plane, and the values it gets. This
// is the only header of the data plane that the admin plane includes, with
// those it includes itself. It knows neither gRPC nor libevent.

namespace echod {

// How a connection's bytes are answered.
enum class EchoMode : std::uint8_t {
  kLine,  // `YOU SAID <line>` to each line
  kRaw,   // every byte back, unchanged (RFC 862)
};

// The part of a listener that connections obey. Plain values; copied freely.
struct ListenerSettings {
  EchoMode mode = EchoMode::kLine;
  std::int64_t max_connections = 0;              // 0: no limit
  std::int64_t max_connections_per_address = 0;  // 0: no limit
  std::int64_t max_line_bytes = 64 * 1024;
  std::int64_t max_buffered_bytes = 1024 * 1024;
  absl::Duration idle_timeout = absl::ZeroDuration();         // 0: never
  absl::Duration max_connection_age = absl::ZeroDuration();   // 0: no limit
  absl::Duration write_stall_timeout = absl::ZeroDuration();  // 0: never
  int backlog = 4096;

  friend bool operator==(const ListenerSettings&,
                         const ListenerSettings&) = default;
};

// What becomes of connections of an old socket when a listener takes a new one.
struct DrainPolicy {
  enum class Mode : std::uint8_t { kKeep, kGraceful, kReset };
  Mode mode = Mode::kKeep;
  // kGraceful; unset: the server's drain timeout.
  std::optional<absl::Duration> timeout;
  // Ends the connections evenly over this time.
  absl::Duration spread = absl::ZeroDuration();
};

// A change to a listener. Unset fields stay as they are.
struct ListenerUpdate {
  std::string id;
  std::optional<std::string> address;
  std::optional<int> port;
  std::optional<EchoMode> mode;
  std::optional<std::int64_t> max_connections;
  std::optional<std::int64_t> max_connections_per_address;
  std::optional<std::int64_t> max_line_bytes;
  std::optional<std::int64_t> max_buffered_bytes;
  std::optional<absl::Duration> idle_timeout;
  std::optional<absl::Duration> max_connection_age;
  std::optional<absl::Duration> write_stall_timeout;
  std::optional<int> backlog;
  std::string etag;  // empty: whatever it is now
  bool validate_only = false;
  DrainPolicy drain;
};

struct ListenerInfo {
  enum class State : std::uint8_t { kActive, kDraining };
  enum class Source : std::uint8_t { kConfig, kRuntime };

  std::string id;
  std::string address;  // without brackets
  int port = 0;         // as configured; 0: the kernel chose bound_port
  int bound_port = 0;
  std::string bound_address;  // host:port, IPv6 in brackets
  ListenerSettings settings;
  State state = State::kActive;
  Source source = Source::kConfig;
  std::int64_t active_connections = 0;
  std::int64_t generation = 1;
  absl::Time create_time;
  absl::Time update_time;
  std::string etag;
};

struct ServerInfo {
  enum class State : std::uint8_t { kStarting, kServing, kDraining, kStopped };

  absl::Time start_time;
  State state = State::kStarting;
  int worker_count = 0;
};

// Figures of the server, of a listener or of a worker. Plain values.
struct Counters {
  std::int64_t accepted = 0;
  std::int64_t active = 0;
  std::int64_t rejected_max_connections = 0;
  std::int64_t rejected_max_connections_per_address = 0;
  std::int64_t rejected_max_total_connections = 0;
  std::array<std::int64_t, kCloseReasonCount> closed = {};  // by CloseReason
  std::int64_t bytes_received = 0;
  std::int64_t bytes_sent = 0;
  std::int64_t lines_echoed = 0;
  std::int64_t bytes_buffered = 0;
  std::int64_t read_pauses = 0;
  std::int64_t accept_errors = 0;

  Counters& operator+=(const Counters& other);
};

struct Stats {
  absl::Time time;
  absl::Duration uptime;
  std::int64_t log_lines_dropped = 0;
  Counters total;
  std::map<std::string, Counters> listeners;  // by listener id
  std::vector<Counters> workers;              // by worker index
};

struct TcpInfo {
  absl::Duration rtt;
  absl::Duration rtt_variance;
  std::int64_t retransmits = 0;
  std::int64_t congestion_window = 0;  // segments
  std::int64_t unacked = 0;            // segments
  std::int64_t delivery_rate = 0;      // bytes per second
};

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
  std::string remote_address;  // host:port, IPv6 in brackets
  std::string local_address;
  absl::Time create_time;
  absl::Time last_active_time;
  std::int64_t bytes_received = 0;
  std::int64_t bytes_sent = 0;
  std::int64_t bytes_buffered = 0;
  std::int64_t lines_echoed = 0;
  bool reading_paused = false;
  std::optional<TcpInfo> tcp_info;
};

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

struct DrainOptions {
  std::optional<absl::Duration> grace_period;  // unset: the server's default
  std::optional<absl::Duration> deadline;      // unset: the server's default
};

// The narrow interface at which the two planes meet. Thread-safe: any method
// may be called from any thread, as long as the object lives.
//
// Methods that take a Reply return at once; the answer comes later, on a loop's
// thread, which it must not hold up, or at once where there is nothing to wait
// for. Every Reply is answered exactly once, with UNAVAILABLE if the server
// stops first. Failures carry an ErrorDetail (see control_error.h).
class ServerControl {
 public:
  virtual ~ServerControl() = default;

  virtual ServerInfo GetServer() const = 0;
  virtual Stats GetStats() const = 0;

  // By id.
  virtual std::vector<ListenerInfo> ListListeners() const = 0;
  virtual absl::StatusOr<ListenerInfo> GetListener(
      const std::string& id) const = 0;

  // See UpdateListener in admin.proto for what a change of address does.
  // Changes are made one after the other.
  virtual void UpdateListener(ListenerUpdate update,
                              Reply<ListenerInfo> reply) = 0;

  // Work on each worker is done in small batches, however many there are.
  virtual void ListConnections(ConnectionQuery query,
                               Reply<ConnectionPage> reply) = 0;
  virtual void GetConnection(std::uint64_t number,
                             Reply<ConnectionInfo> reply) = 0;
  // Answers with the connection as it was when the close began.
  virtual void CloseConnection(std::uint64_t number, CloseMode mode,
                               Reply<ConnectionInfo> reply) = 0;

  // Begins the drain, and answers when it has begun. A drain that has begun
  // before is UNAVAILABLE.
  virtual void Drain(DrainOptions options, Reply<ServerInfo> reply) = 0;
};

}  // namespace echod

#endif  // ECHO_CONTROL_SERVER_CONTROL_H_
