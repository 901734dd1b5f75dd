// SPDX-License-Identifier: Apache-2.0

#include "echo/control/listener_settings.h"

#include <cstdint>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "echo/control/control_error.h"

namespace echod {
namespace {

// A line is held in memory until it is complete.
constexpr std::int64_t kMostLineBytes = 16 * 1024 * 1024;
constexpr std::int64_t kMostBufferedBytes = std::int64_t{1} << 30;
constexpr std::int64_t kMostConnections = 100'000'000;
constexpr int kLargestBacklog = 65535;
// Longer is never; a connection's clock counts in nanoseconds.
constexpr absl::Duration kLongestTimeout = absl::Hours(24 * 365);

absl::Status CheckTimeout(absl::string_view field, absl::Duration value) {
  if (value >= absl::ZeroDuration() && value <= kLongestTimeout) {
    return absl::OkStatus();
  }
  return InvalidFieldError(
      field, absl::StrCat(absl::FormatDuration(value), " is out of bounds; ",
                          field, " goes from 0 (never) to ",
                          absl::FormatDuration(kLongestTimeout)));
}

absl::Status CheckRange(absl::string_view field, std::int64_t value,
                        std::int64_t least, std::int64_t most) {
  if (value >= least && value <= most) return absl::OkStatus();
  return InvalidFieldError(
      field, absl::StrCat(value, " is out of bounds; ", field, " goes from ",
                          least, " to ", most));
}

}  // namespace

absl::Status ValidateSettings(const ListenerSettings& settings) {
  for (const absl::Status& checked :
       {CheckRange("max_connections", settings.max_connections, 0,
                   kMostConnections),
        CheckRange("max_connections_per_address",
                   settings.max_connections_per_address, 0, kMostConnections),
        CheckRange("max_line_bytes", settings.max_line_bytes, 1,
                   kMostLineBytes),
        CheckRange("max_buffered_bytes", settings.max_buffered_bytes, 1,
                   kMostBufferedBytes),
        CheckRange("backlog", settings.backlog, 1, kLargestBacklog),
        CheckTimeout("idle_timeout", settings.idle_timeout),
        CheckTimeout("max_connection_age", settings.max_connection_age),
        CheckTimeout("write_stall_timeout", settings.write_stall_timeout)}) {
    if (!checked.ok()) return checked;
  }
  return absl::OkStatus();
}

}  // namespace echod
