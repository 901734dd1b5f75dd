// SPDX-License-Identifier: Apache-2.0

// echod --check_health, which asks another echod.

#include <csignal>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/support/eventually.h"
#include "tests/support/server_process.h"

namespace echod::e2e {
namespace {

using testing::Eventually;
using testing::Finished;
using testing::RunEchod;
using testing::ServerProcess;

TEST(HealthCheckTest, FollowsADrain) {
  ServerProcess server({"--drain_grace_period=1h", "--drain_timeout=1ms"});
  const std::string flag =
      absl::StrCat("--check_health=", server.admin_address());
  // The port file appears when the server accepts, and it serves by then.
  const Finished serving = RunEchod({flag});
  EXPECT_EQ(serving.exit_status, 0) << serving.err;
  EXPECT_EQ(serving.out, "SERVING\n");
  EXPECT_EQ(serving.err, "");
  server.Signal(SIGTERM);
  Finished draining;
  EXPECT_TRUE(Eventually([&] {
    draining = RunEchod({flag});
    return draining.exit_status == 1;
  })) << draining.exit_status
      << draining.err;
  EXPECT_EQ(draining.out, "NOT_SERVING\n");
  server.Signal(SIGTERM);
  server.WaitForExit();
  const Finished gone = RunEchod({flag});
  EXPECT_EQ(gone.exit_status, 2);
  EXPECT_EQ(gone.out, "");
  EXPECT_EQ(gone.err.rfind(
                absl::StrCat("echod: cannot ask ", server.admin_address()), 0),
            0u)
      << gone.err;
}

TEST(HealthCheckTest, AsksTheAdminAddressUnlessToldOtherwise) {
  const ServerProcess server;
  const Finished serving =
      RunEchod({"--check_health",
                absl::StrCat("--admin_address=", server.admin_address())});
  EXPECT_EQ(serving.exit_status, 0) << serving.err;
}

TEST(HealthCheckTest, AsksForAService) {
  const ServerProcess server;
  const std::string flag =
      absl::StrCat("--check_health=", server.admin_address());
  EXPECT_EQ(
      RunEchod({flag, "--check_health_service=echod.admin.v1.AdminService"})
          .exit_status,
      0);
  const Finished other = RunEchod({flag, "--check_health_service=other"});
  EXPECT_EQ(other.exit_status, 2);
  EXPECT_NE(other.err.find("'other'"), std::string::npos) << other.err;
}

TEST(HealthCheckTest, SaysWhatIsWrongWithItsFlags) {
  for (const auto& [flag, problem] :
       std::vector<std::pair<std::string, std::string>>{
           {"--check_health=nowhere", "such as 127.0.0.1:9901"},
           {"--check_health=unix:/x", "such as 127.0.0.1:9901"},
           {"--check_health=127.0.0.1:0", "port 0"},
           {"--check_health_service=\xff", "printable ASCII"},
           {"--check_health_service=x", "add --check_health"}}) {
    const Finished finished = RunEchod({flag});
    EXPECT_EQ(finished.exit_status, 2) << flag;
    EXPECT_NE(finished.err.find(problem), std::string::npos) << finished.err;
  }
}

}  // namespace
}  // namespace echod::e2e
