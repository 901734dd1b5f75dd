// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_BASE_LOG_LEVEL_H_
#define ECHO_BASE_LOG_LEVEL_H_

#include <cstdint>

#include "echo/base/named_values.h"

namespace echod {

// The minimum severity of lines that the process writes to standard error.
enum class LogLevel : std::uint8_t { kDebug, kInfo, kWarning, kError, kOff };

// In the order of their severity.
inline constexpr NamedValue<LogLevel> kLogLevels[] = {
    {LogLevel::kDebug, "debug"},     {LogLevel::kInfo, "info"},
    {LogLevel::kWarning, "warning"}, {LogLevel::kError, "error"},
    {LogLevel::kOff, "off"},
};

}  // namespace echod

#endif  // ECHO_BASE_LOG_LEVEL_H_
