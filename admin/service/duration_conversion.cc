// SPDX-License-Identifier: Apache-2.0

#include "admin/service/duration_conversion.h"

#include <cstdint>

#include "absl/strings/str_cat.h"
#include "echo/control/control_error.h"

namespace echod {
namespace {

// About 10,000 years: the limit of google.protobuf.Duration.
constexpr std::int64_t kMostSeconds = 315'576'000'000;
constexpr std::int32_t kMostNanos = 999'999'999;

}  // namespace

google::protobuf::Duration ToProto(absl::Duration duration) {
  google::protobuf::Duration proto;
  absl::Duration rest;
  proto.set_seconds(absl::IDivDuration(duration, absl::Seconds(1), &rest));
  proto.set_nanos(static_cast<std::int32_t>(absl::ToInt64Nanoseconds(rest)));
  return proto;
}

google::protobuf::Timestamp ToProto(absl::Time time) {
  google::protobuf::Timestamp proto;
  const std::int64_t seconds = absl::ToUnixSeconds(time);  // rounds down
  proto.set_seconds(seconds);
  proto.set_nanos(static_cast<std::int32_t>(
      absl::ToInt64Nanoseconds(time - absl::FromUnixSeconds(seconds))));
  return proto;
}

absl::StatusOr<absl::Duration> ParseDuration(
    const google::protobuf::Duration& duration, absl::string_view field) {
  if (duration.seconds() < 0 || duration.seconds() > kMostSeconds ||
      duration.nanos() < 0 || duration.nanos() > kMostNanos) {
    return InvalidFieldError(
        field, absl::StrCat("a duration of ", duration.seconds(),
                            " seconds and ", duration.nanos(),
                            " nanoseconds is negative, or not a valid protobuf "
                            "Duration; both have to be positive or 0"));
  }
  return absl::Seconds(duration.seconds()) +
         absl::Nanoseconds(duration.nanos());
}

absl::StatusOr<absl::Duration> ParseDurationUpTo(
    absl::Duration most, const google::protobuf::Duration& duration,
    absl::string_view field) {
  absl::StatusOr<absl::Duration> parsed = ParseDuration(duration, field);
  if (parsed.ok() && *parsed > most) {
    return InvalidFieldError(field,
                             absl::StrCat(absl::FormatDuration(*parsed),
                                          " is too long; the longest is ",
                                          absl::FormatDuration(most)));
  }
  return parsed;
}

}  // namespace echod
