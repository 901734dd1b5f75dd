// SPDX-License-Identifier: Apache-2.0

#ifndef ADMIN_SERVICE_DURATION_CONVERSION_H_
#define ADMIN_SERVICE_DURATION_CONVERSION_H_

#include <google/protobuf/duration.pb.h>
#include <google/protobuf/timestamp.pb.h>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace echod {

google::protobuf::Duration ToProto(absl::Duration duration);
google::protobuf::Timestamp ToProto(absl::Time time);

// INVALID_ARGUMENT, naming `field`, if the duration is negative or one that
// protobuf does not allow.
absl::StatusOr<absl::Duration> ParseDuration(
    const google::protobuf::Duration& duration, absl::string_view field);

// Also INVALID_ARGUMENT if it is longer than `most`.
absl::StatusOr<absl::Duration> ParseDurationUpTo(
    absl::Duration most, const google::protobuf::Duration& duration,
    absl::string_view field);

// The longest that a drain may take.
inline constexpr absl::Duration kLongestDrain = absl::Hours(24 * 365);

// The longest time that drains may be spread over. Such a drain costs the loops
// work for as long as its connections live.
inline constexpr absl::Duration kLongestSpread = absl::Hours(24);

}  // namespace echod

#endif  // ADMIN_SERVICE_DURATION_CONVERSION_H_
