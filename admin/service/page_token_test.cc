// SPDX-License-Identifier: Apache-2.0

#include "admin/service/page_token.h"

#include <string>

#include "absl/status/status.h"
#include "echo/control/control_error.h"
#include "gtest/gtest.h"

namespace echod {
namespace {

TEST(PageTokenTest, BoundsThePageSize) {
  EXPECT_EQ(*EffectivePageSize(0), 50);
  EXPECT_EQ(*EffectivePageSize(1), 1);
  EXPECT_EQ(*EffectivePageSize(1000), 1000);
  EXPECT_EQ(*EffectivePageSize(1001), 1000);
  const absl::Status negative = EffectivePageSize(-1).status();
  EXPECT_EQ(negative.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(GetErrorDetail(negative).field, "page_size");
}

TEST(PageTokenTest, ComesBackForTheSameRequestOnly) {
  const std::string token = MakePageToken("list a", "17");
  EXPECT_EQ(*ParsePageToken("list a", token), "17");
  EXPECT_EQ(*ParsePageToken("list a", ""), "");
  for (const std::string& bad :
       {MakePageToken("list b", "17"), MakePageToken("list", "17"),
        MakePageToken("list a", ""), token + "x", std::string("17"),
        std::string("\xff")}) {
    const absl::Status status = ParsePageToken("list a", bad).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << bad;
    EXPECT_EQ(GetErrorDetail(status).field, "page_token") << bad;
  }
}

}  // namespace
}  // namespace echod
