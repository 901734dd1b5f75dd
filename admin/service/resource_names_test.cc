// SPDX-License-Identifier: Apache-2.0

#include "admin/service/resource_names.h"

#include "absl/status/status.h"
#include "echo/control/control_error.h"
#include "gtest/gtest.h"

namespace echod {
namespace {

TEST(ResourceNamesTest, ReadsWhatItWrites) {
  EXPECT_EQ(ListenerName("default"), "listeners/default");
  EXPECT_EQ(*ParseListenerName("listeners/default", "name"), "default");
  EXPECT_EQ(ConnectionName(7), "connections/7");
  EXPECT_EQ(*ParseConnectionName("connections/7", "name"), 7u);
  EXPECT_EQ(*ParseConnectionName("connections/18446744073709551615", "name"),
            18446744073709551615u);
}

TEST(ResourceNamesTest, RefusesOthersAndNamesTheField) {
  for (const char* name :
       {"", "default", "listeners/", "listeners/a/b", "listeners"}) {
    const absl::Status status = ParseListenerName(name, "some.name").status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << name;
    EXPECT_EQ(GetErrorDetail(status).field, "some.name") << name;
  }
  for (const char* name : {"", "7", "connections/", "connections/-1",
                           "connections/ 7", "connections/07", "connections/7x",
                           "connections/18446744073709551616"}) {
    const absl::Status status = ParseConnectionName(name, "name").status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << name;
  }
}

}  // namespace
}  // namespace echod
