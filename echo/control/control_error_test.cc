// SPDX-License-Identifier: Apache-2.0

#include "echo/control/control_error.h"

#include "absl/status/status.h"
#include "gtest/gtest.h"

namespace echod {
namespace {

TEST(ControlErrorTest, CarriesItsDetail) {
  const absl::Status status =
      ControlError(absl::StatusCode::kAborted, "message",
                   {.reason = "R", .field = "f", .errno_name = "E"});
  EXPECT_EQ(status.code(), absl::StatusCode::kAborted);
  EXPECT_EQ(status.message(), "message");
  const ErrorDetail detail = GetErrorDetail(status);
  EXPECT_EQ(detail.reason, "R");
  EXPECT_EQ(detail.field, "f");
  EXPECT_EQ(detail.errno_name, "E");
}

TEST(ControlErrorTest, AnyOtherStatusHasNoDetail) {
  for (const absl::Status& status :
       {absl::OkStatus(), absl::InternalError("x")}) {
    const ErrorDetail detail = GetErrorDetail(status);
    EXPECT_EQ(detail.reason + detail.field + detail.errno_name, "");
  }
}

}  // namespace
}  // namespace echod
