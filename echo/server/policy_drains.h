// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_SERVER_POLICY_DRAINS_H_
#define ECHO_SERVER_POLICY_DRAINS_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "echo/base/clock.h"
#include "echo/control/listener_control.h"
#include "echo/server/spread_limit.h"
#include "echo/server/worker.h"
#include "echo/session/listener_handle.h"

namespace echod {

// Ends connections of listeners as drain policies say. Main loop only.
class PolicyDrains {
 public:
  // What a policy needs to be carried out.
  struct Prepared {
    DrainPolicy policy;
    std::shared_ptr<void> spread;  // held until a drain over time is done
  };

  // `clock` and `workers` outlive it and what it posts to them. A policy
  // without a timeout has `drain_timeout`.
  PolicyDrains(Clock& clock,
               const std::vector<std::unique_ptr<Worker>>& workers,
               absl::Duration drain_timeout)
      : clock_(clock), workers_(workers), drain_timeout_(drain_timeout) {}
  PolicyDrains(const PolicyDrains&) = delete;
  PolicyDrains& operator=(const PolicyDrains&) = delete;

  // RESOURCE_EXHAUSTED with TOO_MANY_DRAINS, where the policy spreads a drain
  // over time and there are too many of these.
  absl::StatusOr<Prepared> Prepare(const DrainPolicy& policy);

  // Ends the listener's connections of generations before `generation` that are
  // on workers by now, or on their way to them. Where that happens at once,
  // every worker holds `until_done` until it has told each of them to end.
  void Run(const Prepared& prepared, ListenerHandle handle,
           std::int64_t generation, const std::shared_ptr<void>& until_done);

 private:
  Clock& clock_;
  const std::vector<std::unique_ptr<Worker>>& workers_;
  const absl::Duration drain_timeout_;
  SpreadLimit spread_limit_;
};

}  // namespace echod

#endif  // ECHO_SERVER_POLICY_DRAINS_H_
