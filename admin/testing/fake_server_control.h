// SPDX-License-Identifier: Apache-2.0

#ifndef ADMIN_TESTING_FAKE_SERVER_CONTROL_H_
#define ADMIN_TESTING_FAKE_SERVER_CONTROL_H_

#include <mutex>
#include <optional>
#include <utility>

#include "absl/time/time.h"
#include "echo/base/log_level.h"
#include "echo/control/control_error.h"
#include "echo/control/reply.h"
#include "echo/control/server_control.h"
#include "echo/control/stats.h"

namespace echod {

// Answers immediately with what a test has set, and remembers what it was
// asked. Thread-safe where the admin plane calls it; a test sets it up before.
class FakeServerControl final : public ServerControl {
 public:
  ServerInfo info;
  Stats stats;              // since the start
  Stats stats_since_reset;  // what a reset returns and sets to `after_reset`
  Stats after_reset;

  std::optional<DrainOptions> last_drain() const {
    std::lock_guard<std::mutex> lock(mutex_);
    return last_drain_;
  }

  ServerInfo GetServer() const override { return info; }
  Stats GetStats() const override { return stats; }
  Stats GetStatsSinceReset() const override {
    std::lock_guard<std::mutex> lock(mutex_);
    return stats_since_reset;
  }
  Stats ResetStats() override {
    std::lock_guard<std::mutex> lock(mutex_);
    return std::exchange(stats_since_reset, after_reset);
  }

  void SetLogLevel(LogLevel level, std::optional<absl::Duration> /*duration*/,
                   Reply<LogLevelChange> reply) override {
    reply(LogLevelChange{
        .before = info.log_level,
        .after = {
            .level = level, .return_time = std::nullopt, .returns_to = level}});
  }

  void Drain(DrainOptions options, Reply<ServerInfo> reply) override {
    std::lock_guard<std::mutex> lock(mutex_);
    if (last_drain_.has_value()) return reply(ServerDrainingError());
    last_drain_ = options;
    reply(ServerInfo{.start_time = info.start_time,
                     .state = ServerInfo::State::kDraining,
                     .worker_count = info.worker_count});
  }

 private:
  mutable std::mutex mutex_;
  std::optional<DrainOptions> last_drain_;
};

}  // namespace echod

#endif  // ADMIN_TESTING_FAKE_SERVER_CONTROL_H_
