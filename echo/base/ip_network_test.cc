// SPDX-License-Identifier: Apache-2.0

#include "echo/base/ip_network.h"

#include "absl/status/status.h"
#include "gtest/gtest.h"

namespace echod {
namespace {

bool Contains(absl::string_view network, absl::string_view address) {
  return IpNetwork::Parse(network)->Contains(*SocketAddress::Parse(address));
}

TEST(IpNetworkTest, ContainsTheAddressesOfItsPrefix) {
  EXPECT_TRUE(Contains("10.0.0.0/8", "10.255.1.2:7"));
  EXPECT_FALSE(Contains("10.0.0.0/8", "11.0.0.0:7"));
  EXPECT_TRUE(Contains("192.168.128.0/17", "192.168.255.1:7"));
  EXPECT_FALSE(Contains("192.168.128.0/17", "192.168.127.1:7"));
  EXPECT_TRUE(Contains("0.0.0.0/0", "203.0.113.9:7"));
  EXPECT_TRUE(Contains("2001:db8::/33", "[2001:db8:7fff::1]:7"));
  EXPECT_FALSE(Contains("2001:db8::/33", "[2001:db8:8000::1]:7"));
}

TEST(IpNetworkTest, AnAddressIsANetworkOfItsOwn) {
  EXPECT_TRUE(Contains("127.0.0.1", "127.0.0.1:7"));
  EXPECT_FALSE(Contains("127.0.0.1", "127.0.0.2:7"));
  EXPECT_TRUE(Contains("[::1]", "[::1]:7"));
  EXPECT_TRUE(Contains("::1", "[::1]:7"));
}

TEST(IpNetworkTest, FamiliesDoNotMix) {
  EXPECT_FALSE(Contains("0.0.0.0/0", "[::1]:7"));
  EXPECT_FALSE(Contains("::/0", "127.0.0.1:7"));
}

TEST(IpNetworkTest, RefusesWhatIsNoNetwork) {
  for (const char* text :
       {"", "/", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/08",
        "10.0.0.0/8/8", "10.0.0.1/8", "::1/64", "::/129", "ten/8",
        "10.0.0.0:80", "[]"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(IpNetwork::Parse(text).status()))
        << text;
  }
}

}  // namespace
}  // namespace echod
