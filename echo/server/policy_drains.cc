// SPDX-License-Identifier: Apache-2.0

#include "echo/server/policy_drains.h"

#include <utility>

#include "echo/control/close_reason.h"
#include "echo/server/operator_jobs.h"
#include "echo/session/connection.h"

namespace echod {

absl::StatusOr<PolicyDrains::Prepared> PolicyDrains::Prepare(
    const DrainPolicy& policy) {
  Prepared prepared{.policy = policy, .spread = nullptr};
  if (policy.mode == DrainPolicy::Mode::kKeep ||
      policy.spread <= absl::ZeroDuration()) {
    return prepared;
  }
  absl::StatusOr<std::shared_ptr<void>> slot = spread_limit_.Take();
  if (!slot.ok()) return slot.status();
  prepared.spread = *std::move(slot);
  return prepared;
}

void PolicyDrains::Run(const Prepared& prepared, ListenerHandle handle,
                       std::int64_t generation,
                       const std::shared_ptr<void>& until_done) {
  const DrainPolicy& policy = prepared.policy;
  if (policy.mode == DrainPolicy::Mode::kKeep) return;
  const absl::Duration timeout = policy.timeout.value_or(drain_timeout_);
  const std::shared_ptr<void>& held =
      prepared.spread != nullptr ? prepared.spread : until_done;
  for (const auto& worker : workers_) {
    worker->Post([&clock = clock_, handle, generation, mode = policy.mode,
                  spread = policy.spread, timeout,
                  held = held](Worker& self) mutable {
      self.Start({.select =
                      [handle, generation](const Connection& connection) {
                        return connection.listener().handle == handle &&
                               connection.generation() < generation;
                      },
                  .spread = spread,
                  .cost = OperatorJobs::kEndConnection,
                  .visit =
                      [&clock, mode, timeout](Connection& connection) {
                        if (mode == DrainPolicy::Mode::kReset) {
                          connection.Reset(CloseReason::kAdminReset);
                        } else {
                          connection.Drain(CloseReason::kDrained,
                                           TimeAfter(clock, timeout));
                        }
                      },
                  .done = [held = std::move(held)] {}});
    });
  }
}

}  // namespace echod
