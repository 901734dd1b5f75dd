// SPDX-License-Identifier: Apache-2.0

#include "echo/session/address_counts.h"

#include "echo/base/socket_address.h"
#include "gtest/gtest.h"

namespace echod {
namespace {

SocketAddress At(const char* text) { return *SocketAddress::Parse(text); }

TEST(AddressCountsTest, CountsEachAddressWhateverThePort) {
  AddressCounts counts;
  EXPECT_TRUE(counts.Add(At("192.0.2.1:1"), 2));
  EXPECT_TRUE(counts.Add(At("192.0.2.1:2"), 2));
  EXPECT_FALSE(counts.Add(At("192.0.2.1:3"), 2));
  EXPECT_TRUE(counts.Add(At("192.0.2.2:1"), 2));
  EXPECT_TRUE(counts.Add(At("[2001:db8::1]:1"), 2));
  counts.Remove(At("192.0.2.1:2"));
  EXPECT_TRUE(counts.Add(At("192.0.2.1:4"), 2));
}

// Connections that came while there was no limit count when there is one.
TEST(AddressCountsTest, CountsWithoutALimitToo) {
  AddressCounts counts;
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(counts.Add(At("192.0.2.1:1"), 0));
  EXPECT_FALSE(counts.Add(At("192.0.2.1:1"), 3));
}

TEST(AddressCountsTest, RemovingAnUnknownAddressDoesNothing) {
  AddressCounts counts;
  counts.Remove(At("192.0.2.1:1"));
  EXPECT_TRUE(counts.Add(At("192.0.2.1:1"), 1));
  EXPECT_FALSE(counts.Add(At("192.0.2.1:1"), 1));
}

}  // namespace
}  // namespace echod
