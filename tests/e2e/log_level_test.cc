// SPDX-License-Identifier: Apache-2.0

// SetLogLevel, with the real program.

#include <csignal>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "tests/e2e/admin_client.h"
#include "tests/e2e/server_log.h"
#include "tests/support/eventually.h"
#include "tests/support/server_process.h"

namespace echod::e2e {
namespace {

using admin::v1::SetLogLevelRequest;
using admin::v1::SetLogLevelResponse;
using testing::Eventually;
using testing::ServerProcess;
using Stub = AdminClient::Stub;

class LogLevelTest : public ::testing::Test {
 protected:
  grpc::Status Set(const SetLogLevelRequest& request) {
    return admin_.Call(&Stub::SetLogLevel, request, &response_);
  }

  admin::v1::Server Server() {
    admin::v1::Server server;
    EXPECT_TRUE(
        admin_.Call(&Stub::GetServer, admin::v1::GetServerRequest(), &server)
            .ok());
    return server;
  }

  bool HasLogged(absl::string_view text) {
    return Eventually([&] { return absl::StrContains(log_.Text(), text); });
  }

  const ServerLog log_{};
  ServerProcess server_{ServerProcess::Options{
      .flags = {"--log_level=warning"}, .in_child = log_.AsStandardError()}};
  AdminClient admin_{server_};
  SetLogLevelResponse response_;
};

TEST_F(LogLevelTest, ALevelTakesEffectAndStays) {
  EXPECT_EQ(Server().log_level(), admin::v1::LOG_LEVEL_WARNING);
  server_.Connect();  // the first connection, which is not logged
  SetLogLevelRequest request;
  request.set_level(admin::v1::LOG_LEVEL_DEBUG);
  ASSERT_TRUE(Set(request).ok());
  EXPECT_EQ(response_.former_level(), admin::v1::LOG_LEVEL_WARNING);
  EXPECT_EQ(response_.level(), admin::v1::LOG_LEVEL_DEBUG);
  EXPECT_FALSE(response_.has_return_time());
  server_.Connect();
  EXPECT_TRUE(HasLogged(" debug connection 2 opened by "));
  EXPECT_FALSE(absl::StrContains(log_.Text(), "connection 1 opened"));
  EXPECT_EQ(Server().log_level(), admin::v1::LOG_LEVEL_DEBUG);
  EXPECT_FALSE(Server().has_log_level_return_time());
}

TEST_F(LogLevelTest, WithADurationItReturns) {
  SetLogLevelRequest request;
  request.set_level(admin::v1::LOG_LEVEL_INFO);
  request.mutable_duration()->set_seconds(3600);
  const absl::Time before = absl::Now();
  ASSERT_TRUE(Set(request).ok());
  EXPECT_EQ(response_.return_level(), admin::v1::LOG_LEVEL_WARNING);
  const absl::Duration wait =
      absl::FromUnixSeconds(response_.return_time().seconds()) - before;
  EXPECT_GT(wait, absl::Minutes(59));
  EXPECT_LT(wait, absl::Minutes(61));
  EXPECT_EQ(Server().log_level_return_time().seconds(),
            response_.return_time().seconds());

  // A later call replaces it.
  request.set_level(admin::v1::LOG_LEVEL_DEBUG);
  request.mutable_duration()->set_seconds(0);
  request.mutable_duration()->set_nanos(1);
  ASSERT_TRUE(Set(request).ok());
  EXPECT_EQ(response_.former_level(), admin::v1::LOG_LEVEL_INFO);
  EXPECT_EQ(response_.return_level(), admin::v1::LOG_LEVEL_WARNING);
  EXPECT_TRUE(Eventually(
      [&] { return Server().log_level() == admin::v1::LOG_LEVEL_WARNING; }));
  EXPECT_FALSE(Server().has_log_level_return_time());
}

TEST_F(LogLevelTest, InvalidRequestsChangeNothing) {
  SetLogLevelRequest request;
  grpc::Status status = Set(request);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(Field(status), "level");
  request.set_level(static_cast<admin::v1::LogLevel>(17));
  EXPECT_EQ(Field(Set(request)), "level");
  request.set_level(admin::v1::LOG_LEVEL_DEBUG);
  for (const std::int64_t seconds :
       {std::int64_t{0}, std::int64_t{-1}, std::int64_t{366} * 24 * 3600}) {
    request.mutable_duration()->set_seconds(seconds);
    status = Set(request);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    EXPECT_EQ(Field(status), "duration") << seconds;
  }
  EXPECT_EQ(Server().log_level(), admin::v1::LOG_LEVEL_WARNING);
}

// Otherwise the last trace of whoever turns the log off would be lost.
TEST_F(LogLevelTest, TurningTheLogOffIsLogged) {
  SetLogLevelRequest request;
  request.set_level(admin::v1::LOG_LEVEL_OFF);
  ASSERT_TRUE(Set(request).ok());
  ASSERT_TRUE(HasLogged("SetLogLevel"));
  const std::vector<nlohmann::json> audits = log_.Audits();
  ASSERT_EQ(audits.size(), 1u);
  EXPECT_EQ(audits[0]["resource"], "server");
  EXPECT_EQ(audits[0]["request"]["level"], "LOG_LEVEL_OFF");
  EXPECT_EQ(audits[0]["changes"],
            nlohmann::json::parse(
                R"({"log_level": {"before": "warning", "after": "off"}})"));
}

TEST_F(LogLevelTest, ALevelThatIsToReturnHoldsNoShutdownUp) {
  SetLogLevelRequest request;
  request.set_level(admin::v1::LOG_LEVEL_INFO);
  request.mutable_duration()->set_seconds(3600);
  ASSERT_TRUE(Set(request).ok());
  server_.Signal(SIGTERM);
  EXPECT_EQ(server_.WaitForExit(), 0);
  EXPECT_TRUE(HasLogged("stopped: every connection was drained"));
}

}  // namespace
}  // namespace echod::e2e
