// SPDX-License-Identifier: Apache-2.0

#include "echo/event/event_log.h"

#include <event2/event.h>

#include <cstdlib>

#include "absl/time/time.h"
#include "echo/base/logging.h"

namespace echod {
namespace {

constexpr int kExitFatal = 1;
constexpr absl::Duration kFlushPatience = absl::Seconds(1);

void OnMessage(int severity, const char* message) {
  const LogLevel level = severity >= EVENT_LOG_ERR    ? LogLevel::kError
                         : severity == EVENT_LOG_WARN ? LogLevel::kWarning
                         : severity == EVENT_LOG_MSG  ? LogLevel::kInfo
                                                      : LogLevel::kDebug;
  LogFromLibrary(level, "libevent", message);
}

// The message has been logged already. No destructors run, because other
// threads still do.
void OnFatalError(int /*error*/) {
  FlushLog(kFlushPatience);
  std::_Exit(kExitFatal);
}

}  // namespace

void SendLibeventLogToLog() {
  event_set_log_callback(&OnMessage);
  event_set_fatal_callback(&OnFatalError);
}

}  // namespace echod
