// SPDX-License-Identifier: Apache-2.0

#include "echo/server/request_limit.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "echo/control/control_error.h"

namespace echod {

RequestLimit::Place RequestLimit::TakePlace() const {
  if (waiting_->fetch_add(1) >= most_) {
    --*waiting_;
    return nullptr;
  }
  return Place(this, GiveUp{waiting_});
}

absl::Status RequestLimit::Refusal() const {
  return ControlError(
      absl::StatusCode::kResourceExhausted,
      absl::StrCat(most_,
                   " requests are already pending; try again when some of "
                   "them have been answered"),
      {.reason = "TOO_MANY_REQUESTS", .field = "", .errno_name = ""});
}

}  // namespace echod
