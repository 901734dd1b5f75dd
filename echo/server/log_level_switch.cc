// SPDX-License-Identifier: Apache-2.0

#include "echo/server/log_level_switch.h"

#include "absl/strings/str_cat.h"
#include "echo/base/logging.h"
#include "echo/base/named_values.h"

namespace echod {

LogLevelSwitch::LogLevelSwitch(EventLoop& loop, Clock& clock)
    : clock_(clock), timer_(loop, [this] { OnTimer(); }) {
  const LogLevel level = CurrentLogLevel();
  info_ = {.level = level, .return_time = std::nullopt, .returns_to = level};
}

LogLevelInfo LogLevelSwitch::Get() const {
  const MutexLock lock(mutex_);
  return info_;
}

LogLevelChange LogLevelSwitch::Set(LogLevel level,
                                   std::optional<absl::Duration> duration) {
  LogLevelChange change;
  change.before = Get();
  change.after.level = level;
  if (duration.has_value()) {
    change.after.returns_to = change.before.returns_to;
    change.after.return_time = clock_.WallNow() + *duration;
    return_time_ = TimeAfter(clock_, *duration);
    timer_.Arm(*duration);
  } else {
    change.after.returns_to = level;
    timer_.Disarm();
  }
  Publish(change.after);
  return change;
}

void LogLevelSwitch::OnTimer() {
  // The timer has a clock of its own.
  const absl::Duration left =
      absl::FromChrono(return_time_ - clock_.MonotonicNow());
  if (left > absl::ZeroDuration()) {
    timer_.Arm(left);
    return;
  }
  const LogLevel level = Get().returns_to;
  Publish({.level = level, .return_time = std::nullopt, .returns_to = level});
  LogInfo(absl::StrCat("the log level has returned to ",
                       NameOf(kLogLevels, level)));
}

void LogLevelSwitch::Publish(const LogLevelInfo& info) {
  {
    const MutexLock lock(mutex_);
    info_ = info;
  }
  SetLogLevel(info.level);
}

}  // namespace echod
