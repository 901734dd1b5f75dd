// SPDX-License-Identifier: Apache-2.0

#include "admin/service/duration_conversion.h"

#include <cstdint>

#include "absl/status/status.h"
#include "echo/control/control_error.h"
#include "gtest/gtest.h"

namespace echod {
namespace {

google::protobuf::Duration Proto(std::int64_t seconds, std::int32_t nanos) {
  google::protobuf::Duration proto;
  proto.set_seconds(seconds);
  proto.set_nanos(nanos);
  return proto;
}

TEST(DurationConversionTest, KeepsNanoseconds) {
  const google::protobuf::Duration proto =
      ToProto(absl::Seconds(3) + absl::Nanoseconds(7));
  EXPECT_EQ(proto.seconds(), 3);
  EXPECT_EQ(proto.nanos(), 7);
  EXPECT_EQ(*ParseDuration(proto, "f"),
            absl::Seconds(3) + absl::Nanoseconds(7));
}

TEST(DurationConversionTest, TimestampsRoundDownToTheirSecond) {
  const google::protobuf::Timestamp proto = ToProto(absl::FromUnixMillis(-500));
  EXPECT_EQ(proto.seconds(), -1);
  EXPECT_EQ(proto.nanos(), 500'000'000);
}

TEST(DurationConversionTest, RefusesWhatIsNegativeOrNoDuration) {
  for (const google::protobuf::Duration& bad :
       {Proto(-1, 0), Proto(0, -1), Proto(1, -1), Proto(0, 1'000'000'000),
        Proto(315'576'000'001, 0)}) {
    const absl::Status status = ParseDuration(bad, "field").status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(GetErrorDetail(status).field, "field");
  }
  EXPECT_TRUE(ParseDuration(Proto(315'576'000'000, 0), "field").ok());
}

TEST(DurationConversionTest, RefusesWhatIsLongerThanTheLongest) {
  const absl::Duration most = absl::Seconds(5);
  EXPECT_EQ(*ParseDurationUpTo(most, Proto(5, 0), "field"), most);
  for (const google::protobuf::Duration& bad : {Proto(5, 1), Proto(-1, 0)}) {
    const absl::Status status = ParseDurationUpTo(most, bad, "field").status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(GetErrorDetail(status).field, "field");
  }
}

}  // namespace
}  // namespace echod
