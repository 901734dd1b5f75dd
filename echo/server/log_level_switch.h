// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_SERVER_LOG_LEVEL_SWITCH_H_
#define ECHO_SERVER_LOG_LEVEL_SWITCH_H_

#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "echo/base/clock.h"
#include "echo/base/log_level.h"
#include "echo/base/mutex.h"
#include "echo/control/server_control.h"
#include "echo/event/event_loop.h"
#include "echo/event/timer.h"

namespace echod {

// Changes the minimum level of the process's log, for good or for some time.
// Begins with the level that the log has. Loop thread only, but for Get.
class LogLevelSwitch {
 public:
  // `loop` and `clock` outlive it.
  LogLevelSwitch(EventLoop& loop, Clock& clock);

  // Thread-safe.
  LogLevelInfo Get() const;

  // See ServerControl::SetLogLevel.
  LogLevelChange Set(LogLevel level, std::optional<absl::Duration> duration);

 private:
  void OnTimer();
  void Publish(const LogLevelInfo& info);

  Clock& clock_;
  MonotonicTime return_time_;  // while the timer is armed
  Timer timer_;

  mutable Mutex mutex_;
  LogLevelInfo info_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace echod

#endif  // ECHO_SERVER_LOG_LEVEL_SWITCH_H_
