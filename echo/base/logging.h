#ifndef ECHO_BASE_LOGGING_H_
#define ECHO_BASE_LOGGING_H_

#include "absl/strings/string_view.h"

namespace echod {

// How much the process says on standard error.
enum class LogLevel { kDebug, kInfo, kWarning, kError, kOff };

// Sets the least level that is written. Thread-safe.
void SetLogLevel(LogLevel level);

// Whether debug lines are written: whoever has to put one together first asks.
// Thread-safe.
bool LogsDebug();

// Writes one line. Thread-safe. For things that happen rarely, never for each
// connection or byte, debug lines apart.
void LogDebug(absl::string_view message);
void LogInfo(absl::string_view message);
void LogWarning(absl::string_view message);
void LogError(absl::string_view message);

}  // namespace echod

#endif  // ECHO_BASE_LOGGING_H_
