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

// A duration that is not negative and that the protocol allows; any other is
// INVALID_ARGUMENT, naming `field`.
absl::StatusOr<absl::Duration> ParseDuration(
    const google::protobuf::Duration& duration, absl::string_view field);

// The same, and at most `most`.
absl::StatusOr<absl::Duration> ParseDurationUpTo(
    absl::Duration most, const google::protobuf::Duration& duration,
    absl::string_view field);

// The longest time that a drain may be given.
inline constexpr absl::Duration kLongestDrain = absl::Hours(24 * 365);

}  // namespace echod

#endif  // ADMIN_SERVICE_DURATION_CONVERSION_H_
