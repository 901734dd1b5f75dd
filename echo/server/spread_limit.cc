// SPDX-License-Identifier: Apache-2.0

#include "echo/server/spread_limit.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "echo/control/control_error.h"

namespace echod {

absl::StatusOr<std::shared_ptr<void>> SpreadLimit::Take() {
  const MutexLock lock(mutex_);
  std::erase_if(taken_,
                [](const std::weak_ptr<void>& each) { return each.expired(); });
  if (taken_.size() >= kMost) {
    return ControlError(
        absl::StatusCode::kResourceExhausted,
        absl::StrCat(kMost,
                     " drains are already being spread over time; wait until "
                     "one has ended, or drain without a spread"),
        {.reason = "TOO_MANY_DRAINS", .field = "", .errno_name = ""});
  }
  std::shared_ptr<void> slot = std::make_shared<char>();
  taken_.push_back(slot);
  return slot;
}

}  // namespace echod
