// SPDX-License-Identifier: Apache-2.0

#include "echo/base/nearest_name.h"

#include "gtest/gtest.h"

namespace echod {
namespace {

TEST(NearestNameTest, FindsWhatWasMeant) {
  const std::vector<std::string> names = {"age", "idle", "bytes_sent"};
  EXPECT_EQ(NearestName("idel", names), "idle");
  EXPECT_EQ(NearestName("byte_sent", names), "bytes_sent");
  EXPECT_EQ(NearestName("BYTES_SENT", names), "bytes_sent");
}

TEST(NearestNameTest, IsEmptyWhereNothingIsNear) {
  EXPECT_EQ(NearestName("colour", {"age", "idle"}), "");
  EXPECT_EQ(NearestName("", {"age"}), "");
  EXPECT_EQ(NearestName("age", {}), "");
}

}  // namespace
}  // namespace echod
