// SPDX-License-Identifier: Apache-2.0

#include "tests/load/resolve.h"

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "echo/base/socket_address.h"
#include "gtest/gtest.h"

namespace echod::load {
namespace {

std::vector<std::string> Texts(absl::string_view place) {
  const auto addresses = Resolve(place);
  EXPECT_TRUE(addresses.ok()) << addresses.status();
  std::vector<std::string> texts;
  if (!addresses.ok()) return texts;
  for (const SocketAddress& each : *addresses) texts.push_back(each.ToString());
  return texts;
}

// Resolvers know only the first, and not everywhere.
TEST(ResolveTest, LocalhostIsTheLoopbackWhateverTheResolverKnows) {
  const std::vector<std::string> loopback = {"127.0.0.1:80", "[::1]:80"};
  for (const char* place : {"localhost:80", "LOCALHOST:80", "localhost.:80",
                            "echod.test.localhost:80"}) {
    EXPECT_EQ(Texts(place), loopback) << place;
  }
}

TEST(ResolveTest, AnAddressIsItself) {
  EXPECT_EQ(Texts("192.0.2.1:1"), std::vector<std::string>{"192.0.2.1:1"});
  EXPECT_EQ(Texts("[2001:db8::1]:1"),
            std::vector<std::string>{"[2001:db8::1]:1"});
}

}  // namespace
}  // namespace echod::load
