// SPDX-License-Identifier: Apache-2.0

#include "echo/base/listen_address.h"

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "echo/base/socket_address.h"
#include "gtest/gtest.h"

namespace echod {
namespace {

std::string Problem(const std::string& text) {
  return std::string(ListenAddress::Parse(text).status().message());
}

TEST(ListenAddressTest, IsAPathOrAnIpAddress) {
  const absl::StatusOr<ListenAddress> path =
      ListenAddress::Parse("unix:/run/a=b.sock");
  ASSERT_TRUE(path.ok()) << path.status();
  EXPECT_TRUE(path->is_unix());
  EXPECT_EQ(path->path(), "/run/a=b.sock");
  EXPECT_EQ(path->Host(), "unix:/run/a=b.sock");
  EXPECT_EQ(path->ToString(), "unix:/run/a=b.sock");
  EXPECT_EQ(path->port(), 0);
  EXPECT_EQ(path->WithPort(7), *path);

  const absl::StatusOr<ListenAddress> ip = ListenAddress::Parse("[::1]:80");
  ASSERT_TRUE(ip.ok()) << ip.status();
  EXPECT_FALSE(ip->is_unix());
  EXPECT_EQ(ip->ip(), *SocketAddress::Parse("[::1]:80"));
  EXPECT_EQ(ip->ToString(), "[::1]:80");
  EXPECT_EQ(ip->Host(), "::1");
  EXPECT_EQ(ip->WithPort(81).port(), 81);
  EXPECT_NE(*ip, *path);
}

TEST(ListenAddressTest, SaysWhatIsWrongWithAPath) {
  for (const char* text : {"unix:", "unix:a", "unix:/", "unix:/run/"}) {
    EXPECT_TRUE(absl::StrContains(Problem(text), "write an absolute one"))
        << Problem(text);
  }
  EXPECT_TRUE(absl::StrContains(Problem("unix:/a\nb"), "not printable"));
  EXPECT_TRUE(ListenAddress::Parse("unix:/" + std::string(106, 'a')).ok());
  EXPECT_TRUE(absl::StrContains(Problem("unix:/" + std::string(107, 'a')),
                                "has 108 bytes; choose a shorter one"));
  EXPECT_TRUE(absl::StrContains(Problem("nowhere:1"), "not an IP address"));
}

}  // namespace
}  // namespace echod
