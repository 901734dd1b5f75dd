// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_BASE_LOGGING_H_
#define ECHO_BASE_LOGGING_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

// The process's log, on standard error. No call here waits for whoever reads
// it, FlushLog apart: a thread of the log's own writes, and lines that find its
// queue full (256 KiB) are dropped, counted, and reported in a line of their
// own once it goes on. Every byte of a message that is not printable ASCII is
// written as an escape such as \x1b, since messages quote what came from
// outside. Lines of more than 4 KB are cut.
//
// Thread-safe.

namespace echod {

// How much the process says on standard error.
enum class LogLevel { kDebug, kInfo, kWarning, kError, kOff };

// Starts the log's thread, which otherwise begins with the first line, and has
// the log flushed (see FlushLog) when the process aborts. An error where no
// thread can be had; without it lines are written by those who log them, if
// standard error takes them at once. At the start of main, SIGPIPE and SIGXFSZ
// ignored.
absl::Status StartLog();

// Sets the least level that is written.
void SetLogLevel(LogLevel level);

// Whether debug lines are written: whoever has to put one together first asks.
bool LogsDebug();

// Writes one line. For things that happen rarely, never for each connection or
// byte, debug lines apart.
void LogDebug(absl::string_view message);
void LogInfo(absl::string_view message);
void LogWarning(absl::string_view message);
void LogError(absl::string_view message);

// Writes what a library has to say. Above debug level there is a budget for all
// libraries together, since a client may cause messages without end: ten at a
// time, and one more for each second; the next one tells how many were left
// out.
void LogFromLibrary(LogLevel level, absl::string_view library,
                    absl::string_view message);

// Writes one line without time and level, whatever the level: why the program
// cannot run.
void WriteErrorLine(absl::string_view line);

// Waits until everything logged before is written, but no longer than
// `patience`. Before the process ends.
void FlushLog(absl::Duration patience);

// How many lines were lost so far: no room in the queue, or standard error did
// not take them.
std::int64_t DroppedLogLines();

}  // namespace echod

#endif  // ECHO_BASE_LOGGING_H_
