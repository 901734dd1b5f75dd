// SPDX-License-Identifier: Apache-2.0

#include "echo/server/policy_drains.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "echo/control/close_reason.h"
#include "echo/control/control_error.h"
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
  std::erase_if(spread_,
                [](const std::weak_ptr<void>& each) { return each.expired(); });
  if (spread_.size() >= kMostSpread) {
    return ControlError(
        absl::StatusCode::kResourceExhausted,
        absl::StrCat(kMostSpread,
                     " drains are already being spread over time; wait until "
                     "one has ended, or drain without a spread"),
        {.reason = "TOO_MANY_DRAINS", .field = "", .errno_name = ""});
  }
  prepared.spread = std::make_shared<char>();
  spread_.push_back(prepared.spread);
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
