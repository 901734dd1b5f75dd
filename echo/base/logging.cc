// SPDX-License-Identifier: Apache-2.0

#include "echo/base/logging.h"

#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "echo/base/clock.h"
#include "echo/base/log_budget.h"
#include "echo/base/log_text.h"
#include "echo/base/log_writer.h"
#include "echo/base/resource_error.h"
#include "spdlog/pattern_formatter.h"
#include "spdlog/sinks/base_sink.h"
#include "spdlog/spdlog.h"

namespace echod {
namespace {

std::unique_ptr<spdlog::formatter> NewFormatter() {
  return std::make_unique<spdlog::pattern_formatter>(
      "%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc);
}

std::string Formatted(spdlog::formatter& formatter,
                      const spdlog::details::log_msg& message) {
  spdlog::memory_buf_t line;
  formatter.format(message, line);
  return {line.data(), line.size()};
}

std::string DropNotice(std::int64_t count) {
  static spdlog::formatter* const formatter = NewFormatter().release();
  const std::string text = absl::StrCat(
      count, count == 1 ? " log line was" : " log lines were",
      " dropped: standard error did not take ", count == 1 ? "it" : "them");
  return Formatted(
      *formatter, spdlog::details::log_msg("echod", spdlog::level::warn, text));
}

// Never destroyed, like everything here: threads may log until the process
// exits.
LogWriter& Writer() {
  static LogWriter* const writer = new LogWriter(STDERR_FILENO, &DropNotice);
  return *writer;
}

class WriterSink final : public spdlog::sinks::base_sink<std::mutex> {
 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    Writer().Write(Formatted(*formatter_, message));
  }
  void flush_() override {}
};

spdlog::logger& Logger() {
  static spdlog::logger* const logger = [] {
    auto* made = new spdlog::logger("echod", std::make_shared<WriterSink>());
    made->set_formatter(NewFormatter());
    // spdlog's default handler blocks on standard error.
    made->set_error_handler(
        [](const std::string&) { Writer().CountDropped(); });
    return made;
  }();
  return *logger;
}

spdlog::level::level_enum ToSpdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
    case LogLevel::kOff:
      return spdlog::level::off;
  }
  return spdlog::level::off;
}

void Log(LogLevel level, absl::string_view message) {
  if (!Logger().should_log(ToSpdlog(level))) return;
  const std::string text = PrintableText(message);
  Logger().log(ToSpdlog(level), spdlog::string_view_t(text));
}

// The reason for an abort has often just been logged.
void FlushOnAbort(int /*signal*/) { Writer().FlushInSignalHandler(); }

// The standard library's default handler blocks on standard error.
[[noreturn]] void LogAndAbort() {
  std::string why = "unknown";
  try {
    if (const std::exception_ptr thrown = std::current_exception()) {
      std::rethrow_exception(thrown);
    }
  } catch (const std::exception& exception) {
    why = exception.what();
  } catch (...) {
  }
  WriteErrorLine(absl::StrCat("echod: terminated by an exception: ", why));
  std::abort();
}

}  // namespace

absl::Status StartLog() {
  LogWriter& writer = Writer();
  std::signal(SIGABRT, &FlushOnAbort);
  std::set_terminate(&LogAndAbort);
  if (writer.has_thread()) return absl::OkStatus();
  return ResourceError("start the log thread", writer.thread_error());
}

void SetLogLevel(LogLevel level) { Logger().set_level(ToSpdlog(level)); }

LogLevel CurrentLogLevel() {
  const spdlog::level::level_enum level = Logger().level();
  for (const auto& row : kLogLevels) {
    if (ToSpdlog(row.value) == level) return row.value;
  }
  return LogLevel::kOff;
}

bool LogsDebug() { return Logger().should_log(spdlog::level::debug); }

void LogDebug(absl::string_view message) { Log(LogLevel::kDebug, message); }
void LogInfo(absl::string_view message) { Log(LogLevel::kInfo, message); }
void LogWarning(absl::string_view message) { Log(LogLevel::kWarning, message); }
void LogError(absl::string_view message) { Log(LogLevel::kError, message); }

void LogAudit(absl::string_view message) {
  const std::string text = absl::StrCat("audit ", PrintableText(message));
  // Not by the logger, which leaves out what is below its level.
  Logger().sinks().front()->log(
      spdlog::details::log_msg("echod", spdlog::level::info, text));
}

void LogFromLibrary(LogLevel level, absl::string_view library,
                    absl::string_view message) {
  if (!Logger().should_log(ToSpdlog(level))) return;
  std::int64_t left_out = 0;
  if (level != LogLevel::kDebug) {
    static LogBudget* const budget = new LogBudget(SystemClock());
    const std::optional<std::int64_t> admitted = budget->Admit();
    if (!admitted.has_value()) return;
    left_out = *admitted;
  }
  Log(level, left_out == 0
                 ? absl::StrCat(library, ": ", message)
                 : absl::StrCat(library, ": ", message, " (", left_out,
                                " earlier library messages were "
                                "suppressed)"));
}

void WriteErrorLine(absl::string_view line) {
  Writer().Write(absl::StrCat(PrintableText(line), "\n"));
}

void FlushLog(absl::Duration patience) { Writer().Flush(patience); }

std::int64_t DroppedLogLines() { return Writer().dropped(); }

std::string SpdlogVersion() {
  return absl::StrCat(SPDLOG_VER_MAJOR, ".", SPDLOG_VER_MINOR, ".",
                      SPDLOG_VER_PATCH);
}

}  // namespace echod
