// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_SERVER_REJECTION_LOG_H_
#define ECHO_SERVER_REJECTION_LOG_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "absl/time/time.h"
#include "echo/event/event_loop.h"
#include "echo/event/timer.h"

namespace echod {

// Logs that a listener resets connections beyond a limit: the first one at
// once, and then, while that goes on, their number each interval. So a flood of
// clients is no flood of lines. Belongs to the thread of its loop, which
// outlives it.
class RejectionLog {
 public:
  enum Limit : std::size_t {
    kMaxConnections,
    kMaxTotalConnections,
    kMaxConnectionsPerAddress,
    kLimits,
  };

  static constexpr absl::Duration kInterval = absl::Seconds(10);

  // `write` gets each line.
  RejectionLog(EventLoop& loop, std::string listener,
               std::function<void(const std::string&)> write,
               absl::Duration interval = kInterval);
  RejectionLog(const RejectionLog&) = delete;
  RejectionLog& operator=(const RejectionLog&) = delete;

  // A connection has been reset, since there are as many as `limit` allows.
  void Note(Limit limit);

 private:
  // Writes the line, if anything has happened since the last one.
  void Report();

  const std::string listener_;
  const std::function<void(const std::string&)> write_;
  const absl::Duration interval_;
  std::array<std::int64_t, kLimits> counts_ = {};  // since the last line
  Timer timer_;  // armed for one interval after each line
};

}  // namespace echod

#endif  // ECHO_SERVER_REJECTION_LOG_H_
