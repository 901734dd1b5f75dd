// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_CONTROL_SESSION_EVENT_H_
#define ECHO_CONTROL_SESSION_EVENT_H_

#include <cstdint>
#include <string>

#include "absl/time/time.h"
#include "echo/base/clock.h"
#include "echo/base/socket_address.h"
#include "echo/control/close_reason.h"
#include "echo/control/connection_fields.h"
#include "echo/control/connection_info.h"

namespace echod {

// A connection at one moment, cheap to make on a loop: nothing is formatted.
struct ConnectionValues {
  std::uint64_t number = 0;
  std::string listener_id;
  std::int64_t listener_generation = 0;
  int worker = 0;
  ConnectionInfo::State state = ConnectionInfo::State::kOpen;
  SocketAddress remote_address;
  SocketAddress local_address;
  absl::Time wall_epoch;  // of the monotonic clock
  MonotonicTime created;
  MonotonicTime last_active;
  std::int64_t bytes_received = 0;
  std::int64_t bytes_sent = 0;
  std::int64_t bytes_buffered = 0;
  std::int64_t lines_echoed = 0;
  bool reading_paused = false;
};

ConnectionInfo ToInfo(const ConnectionValues& values);

// `values`, for a ConnectionPredicate. Refers to them.
class FieldsOfValues final : public ConnectionFields {
 public:
  explicit FieldsOfValues(const ConnectionValues& values) : values_(values) {}

  std::uint64_t number() const override { return values_.number; }
  const std::string& listener_id() const override {
    return values_.listener_id;
  }
  std::int64_t listener_generation() const override {
    return values_.listener_generation;
  }
  int worker() const override { return values_.worker; }
  ConnectionInfo::State state() const override { return values_.state; }
  const SocketAddress& remote_address() const override {
    return values_.remote_address;
  }
  SocketAddress local_address() const override { return values_.local_address; }
  MonotonicTime created() const override { return values_.created; }
  MonotonicTime last_active() const override { return values_.last_active; }
  absl::Time WallTime(MonotonicTime time) const override;
  std::int64_t bytes_received() const override {
    return values_.bytes_received;
  }
  std::int64_t bytes_sent() const override { return values_.bytes_sent; }
  std::int64_t bytes_buffered() const override {
    return values_.bytes_buffered;
  }
  std::int64_t lines_echoed() const override { return values_.lines_echoed; }
  bool reading_paused() const override { return values_.reading_paused; }

 private:
  const ConnectionValues& values_;
};

// What became of a connection. A plain value.
struct SessionEvent {
  enum class Kind : std::uint8_t { kOpened, kPaused, kResumed, kClosed };

  Kind kind = Kind::kOpened;
  CloseReason reason = CloseReason::kPeerClosed;  // of kClosed
  MonotonicTime time;
  ConnectionValues connection;  // after the event; figures of kClosed are final
};

// The wall-clock time of the event.
absl::Time WallTimeOf(const SessionEvent& event);

// Takes the events of connections that it wants. Called on the loops of all
// workers; must neither block nor take long. Thread-safe.
class SessionEventSink {
 public:
  virtual ~SessionEventSink() = default;

  virtual bool Wants(SessionEvent::Kind kind) const = 0;
  virtual void OnEvent(const SessionEvent& event) = 0;
};

}  // namespace echod

#endif  // ECHO_CONTROL_SESSION_EVENT_H_
