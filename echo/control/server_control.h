// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_CONTROL_SERVER_CONTROL_H_
#define ECHO_CONTROL_SERVER_CONTROL_H_

#include <cstdint>
#include <optional>

#include "absl/time/time.h"
#include "echo/base/log_level.h"
#include "echo/control/config_reloads.h"
#include "echo/control/reply.h"
#include "echo/control/stats.h"

namespace echod {

// The minimum level of the log at one moment.
struct LogLevelInfo {
  LogLevel level = LogLevel::kInfo;
  // When it returns to `returns_to`; unset: it stays.
  std::optional<absl::Time> return_time;
  LogLevel returns_to = LogLevel::kInfo;
};

struct LogLevelChange {
  LogLevelInfo before;
  LogLevelInfo after;
};

// The server at one moment. Plain values.
struct ServerInfo {
  enum class State : std::uint8_t { kStarting, kServing, kDraining, kStopped };

  absl::Time start_time;
  State state = State::kStarting;
  int worker_count = 0;
  LogLevelInfo log_level;
  ConfigReloads::Counts config_reloads;
};

struct DrainOptions {
  std::optional<absl::Duration> grace_period;  // unset: the server's default
  std::optional<absl::Duration> deadline;      // unset: the server's default
};

// What the admin plane may ask of the server as a whole. Thread-safe; see
// data_plane.h for what its methods promise.
class ServerControl {
 public:
  virtual ~ServerControl() = default;

  virtual ServerInfo GetServer() const = 0;

  // The figures since the process started. No counter ever goes back.
  virtual Stats GetStats() const = 0;

  // Those since the last ResetStats, or since the start. Not for a loop.
  virtual Stats GetStatsSinceReset() const = 0;

  // Returns those, and begins to count anew; gauges keep their values. Of
  // concurrent calls, each event is in the answer of exactly one. Not for a
  // loop.
  virtual Stats ResetStats() = 0;

  // Begins a graceful shutdown, and answers once it has begun. UNAVAILABLE if
  // one has already begun.
  virtual void Drain(DrainOptions options, Reply<ServerInfo> reply) = 0;

  // Changes the minimum level of the process's log. With a duration, which is
  // positive, the level then returns to the one that was last set without.
  virtual void SetLogLevel(LogLevel level,
                           std::optional<absl::Duration> duration,
                           Reply<LogLevelChange> reply) = 0;
};

}  // namespace echod

#endif  // ECHO_CONTROL_SERVER_CONTROL_H_
