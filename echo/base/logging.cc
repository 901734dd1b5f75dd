#include "echo/base/logging.h"

#include <memory>

#include "absl/strings/string_view.h"
#include "spdlog/pattern_formatter.h"
#include "spdlog/sinks/stdout_sinks.h"
#include "spdlog/spdlog.h"

namespace echod {
namespace {

spdlog::logger& Logger() {
  // Never destroyed: threads may log until the process is gone.
  static spdlog::logger* const logger = [] {
    auto* made = new spdlog::logger(
        "echod", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_formatter(std::make_unique<spdlog::pattern_formatter>(
        "%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc));
    made->flush_on(spdlog::level::trace);
    return made;
  }();
  return *logger;
}

spdlog::string_view_t View(absl::string_view message) {
  return {message.data(), message.size()};
}

}  // namespace

void SetLogLevel(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      Logger().set_level(spdlog::level::debug);
      break;
    case LogLevel::kInfo:
      Logger().set_level(spdlog::level::info);
      break;
    case LogLevel::kWarning:
      Logger().set_level(spdlog::level::warn);
      break;
    case LogLevel::kError:
      Logger().set_level(spdlog::level::err);
      break;
    case LogLevel::kOff:
      Logger().set_level(spdlog::level::off);
      break;
  }
}

bool LogsDebug() { return Logger().should_log(spdlog::level::debug); }

void LogDebug(absl::string_view message) {
  Logger().log(spdlog::level::debug, View(message));
}
void LogInfo(absl::string_view message) {
  Logger().log(spdlog::level::info, View(message));
}
void LogWarning(absl::string_view message) {
  Logger().log(spdlog::level::warn, View(message));
}
void LogError(absl::string_view message) {
  Logger().log(spdlog::level::err, View(message));
}

}  // namespace echod
