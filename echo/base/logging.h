// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_BASE_LOGGING_H_
#define ECHO_BASE_LOGGING_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "echo/base/log_level.h"

// The process's log, on standard error. No call here waits for whoever reads
// it, FlushLog apart: a thread of the log's own writes, and lines that find its
// queue full (256 KiB) are dropped, counted, and reported in a line of their
// own once it goes on. Every byte of a message that is not printable ASCII is
// written as an escape such as \x1b, since messages quote what came from
// outside. Lines of more than 4 KB are cut.
//
// Thread-safe.

namespace echod {

// Starts the log thread, which would otherwise start with the first line, and
// makes the process flush the log (see FlushLog) when it aborts. Returns an
// error if no thread can be started; callers then write their own lines, if
// standard error accepts them immediately. Call at the start of main; SIGPIPE
// and SIGXFSZ must be ignored.
absl::Status StartLog();

// The minimum level; initially kInfo.
void SetLogLevel(LogLevel level);
LogLevel CurrentLogLevel();

// Whether debug lines are written. Check this before building one.
bool LogsDebug();

// Writes one line. For rare events only; per connection, log only at debug
// level.
void LogDebug(absl::string_view message);
void LogInfo(absl::string_view message);
void LogWarning(absl::string_view message);
void LogError(absl::string_view message);

// Writes one line of level info that begins with `audit`, about a change that
// somebody asked for. Regardless of the minimum level: whoever can set that
// cannot hide what else they change.
void LogAudit(absl::string_view message);

// Writes a library's message. Above debug level, all libraries share a budget,
// because a client can cause an unlimited number of messages: a burst of ten,
// and one per second. The next message says how many were suppressed.
void LogFromLibrary(LogLevel level, absl::string_view library,
                    absl::string_view message);

// Writes one line without time and level, regardless of the minimum level. For
// the reason why the program cannot run.
void WriteErrorLine(absl::string_view line);

// Waits until everything logged so far is written, but no longer than
// `patience`. Call before the process exits.
void FlushLog(absl::Duration patience);

// The number of lines dropped so far, because the queue was full or standard
// error did not accept them.
std::int64_t DroppedLogLines();

// The version of spdlog, which the log is made with, such as 1.10.0.
std::string SpdlogVersion();

}  // namespace echod

#endif  // ECHO_BASE_LOGGING_H_
