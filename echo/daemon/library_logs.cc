// SPDX-License-Identifier: Apache-2.0

#include "echo/daemon/library_logs.h"

#include "absl/strings/string_view.h"
#include "admin/server/library_log.h"
#include "echo/base/logging.h"
#include "echo/event/event_log.h"

namespace echod {
namespace {

LogLevel ToLogLevel(LibraryLogLevel level) {
  switch (level) {
    case LibraryLogLevel::kDebug:
      return LogLevel::kDebug;
    case LibraryLogLevel::kWarning:
      return LogLevel::kWarning;
    case LibraryLogLevel::kError:
      return LogLevel::kError;
  }
  return LogLevel::kError;
}

void OnMessage(LibraryLogLevel level, absl::string_view library,
               absl::string_view message) {
  LogFromLibrary(ToLogLevel(level), library, message);
}

}  // namespace

void SendLibraryLogsToLog() {
  SendLibeventLogToLog();
  SendLibraryLogsTo(&OnMessage);
}

}  // namespace echod
