// SPDX-License-Identifier: Apache-2.0

#include "echo/control/listener_settings.h"

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "echo/control/control_error.h"
#include "gtest/gtest.h"

namespace echod {
namespace {

std::string BadField(const ListenerSettings& settings) {
  const absl::Status status = ValidateSettings(settings);
  if (!status.ok()) {
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  }
  return GetErrorDetail(status).field;
}

TEST(ListenerSettingsTest, TheDefaultsAreValid) {
  EXPECT_TRUE(ValidateSettings(ListenerSettings()).ok());
}

TEST(ListenerSettingsTest, NamesTheFieldThatIsOutOfBounds) {
  EXPECT_EQ(BadField({.max_connections = -1}), "max_connections");
  EXPECT_EQ(BadField({.max_connections_per_address = -1}),
            "max_connections_per_address");
  EXPECT_EQ(BadField({.max_line_bytes = 0}), "max_line_bytes");
  EXPECT_EQ(BadField({.max_line_bytes = 1}), "");
  EXPECT_EQ(BadField({.max_line_bytes = 16 * 1024 * 1024}), "");
  EXPECT_EQ(BadField({.max_line_bytes = 16 * 1024 * 1024 + 1}),
            "max_line_bytes");
  EXPECT_EQ(BadField({.max_buffered_bytes = 0}), "max_buffered_bytes");
  EXPECT_EQ(BadField({.max_buffered_bytes = (std::int64_t{1} << 30) + 1}),
            "max_buffered_bytes");
  EXPECT_EQ(BadField({.idle_timeout = -absl::Nanoseconds(1)}), "idle_timeout");
  EXPECT_EQ(BadField({.idle_timeout = absl::InfiniteDuration()}),
            "idle_timeout");
  EXPECT_EQ(BadField({.max_connection_age = -absl::Seconds(1)}),
            "max_connection_age");
  EXPECT_EQ(BadField({.write_stall_timeout = absl::Hours(24 * 366)}),
            "write_stall_timeout");
  EXPECT_EQ(BadField({.backlog = 0}), "backlog");
  EXPECT_EQ(BadField({.backlog = 65536}), "backlog");
}

}  // namespace
}  // namespace echod
