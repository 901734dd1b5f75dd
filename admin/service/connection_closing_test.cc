// SPDX-License-Identifier: Apache-2.0

#include "admin/service/connection_closing.h"

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "echo/control/connection_control.h"
#include "echo/control/control_error.h"
#include "echod/admin/v1/admin.pb.h"
#include "gtest/gtest.h"

namespace echod {
namespace {

using Request = admin::v1::CloseConnectionsRequest;
using Mode = admin::v1::CloseConnectionRequest;

std::string Field(const Request& request) {
  const absl::Status status = ParseConnectionClosing(request).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << request.DebugString();
  return GetErrorDetail(status).field;
}

TEST(ConnectionClosingTest, ReadsWhatToClose) {
  Request request;
  request.set_filter("(idle>30s)");
  request.set_mode(Mode::MODE_RESET);
  request.mutable_spread()->set_seconds(60);
  auto closing = ParseConnectionClosing(request);
  ASSERT_TRUE(closing.ok()) << closing.status();
  EXPECT_NE(closing->filter, nullptr);
  EXPECT_EQ(closing->mode, CloseMode::kReset);
  EXPECT_EQ(closing->spread, absl::Seconds(60));
  EXPECT_FALSE(closing->validate_only);

  request = {};
  request.set_all(true);
  request.set_validate_only(true);
  closing = ParseConnectionClosing(request);
  ASSERT_TRUE(closing.ok()) << closing.status();
  EXPECT_EQ(closing->filter, nullptr);
  EXPECT_EQ(closing->mode, CloseMode::kGraceful);
  EXPECT_TRUE(closing->validate_only);
}

TEST(ConnectionClosingTest, AllConnectionsHaveToBeAskedFor) {
  Request request;
  EXPECT_EQ(Field(request), "filter");
  request.set_filter(" ");
  EXPECT_EQ(Field(request), "filter");
  request.set_filter("worker = 0");
  request.set_all(true);
  EXPECT_EQ(Field(request), "all");
}

TEST(ConnectionClosingTest, NamesTheFieldThatIsWrong) {
  Request request;
  request.set_filter("idle");
  EXPECT_EQ(Field(request), "filter");
  request = {};
  request.set_all(true);
  request.set_mode(static_cast<Mode::Mode>(9));
  EXPECT_EQ(Field(request), "mode");
  request.set_mode(Mode::MODE_GRACEFUL);
  request.mutable_spread()->set_seconds(-1);
  EXPECT_EQ(Field(request), "spread");
  request.mutable_spread()->set_seconds(24 * 3600 + 1);
  EXPECT_EQ(Field(request), "spread");
  request.mutable_spread()->set_seconds(24 * 3600);
  EXPECT_TRUE(ParseConnectionClosing(request).ok());
}

TEST(ConnectionClosingTest, TheSampleIsOfTheLowestNumbers) {
  ClosedConnections closed{.count = 70};
  for (std::uint64_t i = 0; i < 20; ++i) {
    closed.sample.emplace_back().number = 20 - i;
  }
  const admin::v1::CloseConnectionsResponse response = ToProto(closed);
  EXPECT_EQ(response.closed_count(), 70);
  ASSERT_EQ(response.sample_size(), 10);
  EXPECT_EQ(response.sample(0).name(), "connections/1");
  EXPECT_EQ(response.sample(9).name(), "connections/10");
}

}  // namespace
}  // namespace echod
