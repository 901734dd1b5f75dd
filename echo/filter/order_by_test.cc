// SPDX-License-Identifier: Apache-2.0

#include "echo/filter/order_by.h"

#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "echo/control/connection_fields.h"
#include "echo/control/connection_order.h"
#include "echo/control/control_error.h"
#include "gtest/gtest.h"

namespace echod {
namespace {

std::string Error(absl::string_view text) {
  const absl::Status status = ParseOrderBy(text).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << text;
  EXPECT_EQ(GetErrorDetail(status).field, "order_by") << text;
  return std::string(status.message());
}

TEST(OrderByTest, ReadsFieldsAndDirections) {
  EXPECT_EQ(*ParseOrderBy(""), ConnectionOrder());
  const ConnectionOrder expected = {
      {.field = ConnectionField::kBytesSent, .descending = true},
      {.field = ConnectionField::kCreateTime}};
  EXPECT_EQ(*ParseOrderBy("bytes_sent desc, create_time"), expected);
  EXPECT_EQ(*ParseOrderBy("  bytes_sent\tdesc ,create_time "), expected);
  EXPECT_EQ(PrintOrderBy(expected), "bytes_sent desc,create_time");
}

TEST(OrderByTest, RefusesWhatIsNoOrder) {
  EXPECT_EQ(Error("byte_sent"),
            "'byte_sent' is not a field to order connections by; did you mean "
            "bytes_sent?");
  EXPECT_EQ(Error("state"),
            "'state' is not a field to order connections by; choose one of "
            "age, bytes_buffered, bytes_received, bytes_sent, create_time, "
            "idle, last_active_time, lines_echoed, listener_generation, name, "
            "worker");
  EXPECT_EQ(Error("age asc"),
            "found 'asc' after age; expected desc, a comma or the end");
  EXPECT_EQ(Error("age desc desc"),
            "found 'desc' after age; expected desc, a comma or the end");
  for (const char* text : {",", "age,", " ", "age,,idle"}) {
    EXPECT_EQ(Error(text), "a field is missing before or after a comma");
  }
  EXPECT_EQ(Error("age, age desc"), "each field can occur only once");
  EXPECT_EQ(Error("age, idle, name, worker"), "at most 3 fields are possible");
  EXPECT_EQ(Error(std::string(1000, ' ')), "write at most 256 bytes");
}

}  // namespace
}  // namespace echod
