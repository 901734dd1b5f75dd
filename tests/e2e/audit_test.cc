// SPDX-License-Identifier: Apache-2.0

// The audit lines of the real program.

#include <csignal>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/e2e/admin_client.h"
#include "tests/e2e/server_log.h"
#include "tests/support/conversation.h"
#include "tests/support/server_process.h"
#include "tests/support/tcp_client.h"

namespace echod::e2e {
namespace {

using nlohmann::json;
using testing::Echoes;
using testing::ServerProcess;
using testing::TcpClient;
using Stub = AdminClient::Stub;

class AuditTest : public ::testing::Test {
 protected:
  void Start(std::vector<std::string> flags = {}) {
    server_ = std::make_unique<ServerProcess>(ServerProcess::Options{
        .flags = std::move(flags), .in_child = log_.AsStandardError()});
    admin_ = std::make_unique<AdminClient>(*server_);
  }

  // Ends the server, so that its whole log is written.
  std::vector<json> AuditsAtEnd() {
    admin_.reset();  // which the shutdown would wait for
    server_->Signal(SIGTERM);
    EXPECT_EQ(server_->WaitForExit(), 0);
    return log_.Audits();
  }

  grpc::Status Update(const admin::v1::UpdateListenerRequest& request) {
    admin::v1::Listener listener;
    return admin_->Call(&Stub::UpdateListener, request, &listener);
  }

  const ServerLog log_{};
  std::unique_ptr<ServerProcess> server_;
  std::unique_ptr<AdminClient> admin_;
};

TEST_F(AuditTest, AnUpdateSaysWhoChangedWhatFromWhatToWhat) {
  Start({"--idle_timeout=10s"});
  const int old_port = admin_->Listener().bound_port();
  admin::v1::UpdateListenerRequest request;
  request.mutable_listener()->set_name("listeners/default");
  request.mutable_listener()->mutable_idle_timeout()->set_seconds(90);
  request.mutable_listener()->set_address("127.0.0.2");
  request.mutable_listener()->set_max_connections(0);  // as it is
  ASSERT_TRUE(Update(request).ok());
  const int port = admin_->Listener().bound_port();

  const std::vector<json> audits = AuditsAtEnd();
  ASSERT_EQ(audits.size(), 1u);
  const json& audit = audits[0];
  EXPECT_TRUE(absl::StartsWith(audit["peer"].get<std::string>(), "127.0.0.1:"))
      << audit;
  EXPECT_EQ(audit["method"], "UpdateListener");
  EXPECT_EQ(audit["resource"], "listeners/default");
  EXPECT_EQ(audit["request"]["listener"]["idle_timeout"], "90s");
  EXPECT_EQ(audit["code"], "OK");
  json changes = {
      {"address", {{"before", "127.0.0.1"}, {"after", "127.0.0.2"}}},
      {"idle_timeout", {{"before", "10s"}, {"after", "1m30s"}}}};
  if (port != old_port) {
    changes["bound_port"] = {{"before", absl::StrCat(old_port)},
                             {"after", absl::StrCat(port)}};
  }
  EXPECT_EQ(audit["changes"], changes);
}

TEST_F(AuditTest, AResetOfStatisticsIsLogged) {
  Start();
  admin::v1::Stats stats;
  ASSERT_TRUE(
      admin_->Call(&Stub::ResetStats, admin::v1::ResetStatsRequest(), &stats)
          .ok());
  const std::vector<json> audits = AuditsAtEnd();
  ASSERT_EQ(audits.size(), 1u);
  EXPECT_EQ(audits[0]["method"], "ResetStats");
  EXPECT_EQ(audits[0]["resource"], "server");
  EXPECT_EQ(audits[0]["code"], "OK");
}

TEST_F(AuditTest, ClosingAndDrainingAreLogged) {
  Start();
  TcpClient client = server_->Connect();
  ASSERT_TRUE(Echoes(client, "one"));
  admin::v1::CloseConnectionRequest request;
  request.set_name("connections/1");
  request.set_mode(admin::v1::CloseConnectionRequest::MODE_RESET);
  admin::v1::Connection connection;
  ASSERT_TRUE(admin_->Call(&Stub::CloseConnection, request, &connection).ok());
  admin::v1::DrainServerRequest drain;
  drain.mutable_deadline()->set_seconds(5);
  admin::v1::Server server;
  ASSERT_TRUE(admin_->Call(&Stub::DrainServer, drain, &server).ok());
  EXPECT_EQ(server_->WaitForExit(), 0);

  const std::vector<json> audits = log_.Audits();
  ASSERT_EQ(audits.size(), 2u);
  EXPECT_EQ(audits[0]["method"], "CloseConnection");
  EXPECT_EQ(audits[0]["resource"], "connections/1");
  EXPECT_EQ(audits[0]["request"]["mode"], "MODE_RESET");
  EXPECT_EQ(audits[1]["method"], "DrainServer");
  EXPECT_EQ(audits[1]["resource"], "server");
  EXPECT_EQ(audits[1]["request"]["deadline"], "5s");
  EXPECT_EQ(audits[1]["code"], "OK");
}

TEST_F(AuditTest, ClosingInBulkSaysHowMany) {
  Start();
  std::vector<TcpClient> clients;
  for (int i = 0; i < 3; ++i) {
    clients.push_back(server_->Connect());
    ASSERT_TRUE(Echoes(clients.back(), "one"));
  }
  admin::v1::CloseConnectionsRequest request;
  request.set_filter("name > 1");
  request.set_validate_only(true);
  admin::v1::CloseConnectionsResponse closed;
  ASSERT_TRUE(admin_->Call(&Stub::CloseConnections, request, &closed).ok());
  request.set_validate_only(false);
  request.set_mode(admin::v1::CloseConnectionRequest::MODE_RESET);
  ASSERT_TRUE(admin_->Call(&Stub::CloseConnections, request, &closed).ok());
  request.set_filter("name >");
  EXPECT_FALSE(admin_->Call(&Stub::CloseConnections, request, &closed).ok());

  const std::vector<json> audits = AuditsAtEnd();
  ASSERT_EQ(audits.size(), 2u);
  EXPECT_EQ(audits[0]["method"], "CloseConnections");
  EXPECT_EQ(audits[0]["resource"], "connections");
  EXPECT_EQ(audits[0]["request"]["filter"], "name > 1");
  EXPECT_EQ(audits[0]["changes"],
            json({{"closed_count", {{"before", "0"}, {"after", "2"}}}}));
  EXPECT_EQ(audits[0]["code"], "OK");
  EXPECT_EQ(audits[1]["code"], "INVALID_ARGUMENT");
  EXPECT_FALSE(audits[1].contains("changes"));
}

TEST_F(AuditTest, CreatingAndDeletingAreLogged) {
  Start();
  admin::v1::CreateListenerRequest create;
  create.set_listener_id("other");
  create.mutable_listener()->set_address("127.0.0.1");
  create.mutable_listener()->set_port(0);
  admin::v1::Listener listener;
  ASSERT_TRUE(admin_->Call(&Stub::CreateListener, create, &listener).ok());
  EXPECT_FALSE(admin_->Call(&Stub::CreateListener, create, &listener).ok());
  create.set_validate_only(true);
  EXPECT_FALSE(admin_->Call(&Stub::CreateListener, create, &listener).ok());
  admin::v1::DeleteListenerRequest remove;
  remove.set_name("listeners/other");
  ASSERT_TRUE(admin_->Call(&Stub::DeleteListener, remove, &listener).ok());
  EXPECT_FALSE(admin_->Call(&Stub::DeleteListener, remove, &listener).ok());

  const std::vector<json> audits = AuditsAtEnd();
  ASSERT_EQ(audits.size(), 4u);
  EXPECT_EQ(audits[0]["method"], "CreateListener");
  EXPECT_EQ(audits[0]["request"]["listener"]["port"], 0);
  EXPECT_EQ(audits[0]["code"], "OK");
  EXPECT_EQ(audits[1]["code"], "ALREADY_EXISTS");
  EXPECT_EQ(audits[2]["method"], "DeleteListener");
  EXPECT_EQ(audits[2]["code"], "OK");
  EXPECT_EQ(audits[3]["code"], "NOT_FOUND");
  for (const json& audit : audits) {
    EXPECT_EQ(audit["resource"], "listeners/other");
  }
}

TEST_F(AuditTest, WhatFailsIsLoggedWithItsReason) {
  Start();
  admin::v1::UpdateListenerRequest stale;
  stale.mutable_listener()->set_name("listeners/default");
  stale.mutable_listener()->set_port(0);
  stale.mutable_listener()->set_etag("old");
  EXPECT_FALSE(Update(stale).ok());
  admin::v1::UpdateListenerRequest invalid;
  invalid.mutable_listener()->set_name("listeners/default");
  invalid.mutable_update_mask()->add_paths("etag");
  EXPECT_FALSE(Update(invalid).ok());
  admin::v1::CloseConnectionRequest unknown;
  unknown.set_name("connections/12345");
  admin::v1::Connection connection;
  EXPECT_FALSE(admin_->Call(&Stub::CloseConnection, unknown, &connection).ok());
  admin::v1::DrainServerRequest negative;
  negative.mutable_deadline()->set_seconds(-5);
  admin::v1::Server server;
  EXPECT_FALSE(admin_->Call(&Stub::DrainServer, negative, &server).ok());

  const std::vector<json> audits = AuditsAtEnd();
  ASSERT_EQ(audits.size(), 4u);
  EXPECT_EQ(audits[0]["code"], "ABORTED");
  EXPECT_EQ(audits[0]["reason"], "ETAG_MISMATCH");
  EXPECT_FALSE(audits[0].contains("changes"));
  EXPECT_EQ(audits[1]["code"], "INVALID_ARGUMENT");
  EXPECT_EQ(audits[2]["code"], "NOT_FOUND");
  EXPECT_EQ(audits[2]["reason"], "CONNECTION_NOT_FOUND");
  EXPECT_EQ(audits[3]["code"], "INVALID_ARGUMENT");
}

TEST_F(AuditTest, WhatChangesNothingIsNotLogged) {
  Start();
  admin::v1::UpdateListenerRequest request;
  request.mutable_listener()->set_name("listeners/default");
  request.mutable_listener()->set_port(0);
  request.set_validate_only(true);
  EXPECT_TRUE(Update(request).ok());
  request.mutable_listener()->set_etag("old");
  EXPECT_FALSE(Update(request).ok());
  admin_->Stats();
  EXPECT_TRUE(AuditsAtEnd().empty()) << log_.Text();
}

TEST_F(AuditTest, HostileRequestsAreOneBoundedLineEach) {
  Start();
  admin::v1::CloseConnectionRequest request;
  admin::v1::Connection connection;
  request.set_name("x\",\"code\":\"OK\"}\n2026-11-26 info audit {\x1b[31m");
  EXPECT_FALSE(admin_->Call(&Stub::CloseConnection, request, &connection).ok());
  request.set_name(std::string(60'000, '\x01'));
  EXPECT_FALSE(admin_->Call(&Stub::CloseConnection, request, &connection).ok());
  // Not to be expressed in JSON.
  admin::v1::DrainServerRequest drain;
  drain.mutable_deadline()->set_nanos(-2'000'000'000);
  admin::v1::Server server;
  EXPECT_FALSE(admin_->Call(&Stub::DrainServer, drain, &server).ok());

  const std::vector<json> audits = AuditsAtEnd();
  ASSERT_EQ(audits.size(), 3u);
  for (const json& audit : audits) {
    EXPECT_EQ(audit["code"], "INVALID_ARGUMENT") << audit;
  }
  EXPECT_EQ(audits[0]["resource"], audits[0]["request"]["name"]);
  EXPECT_EQ(audits[1]["truncated"], true);
  EXPECT_TRUE(audits[2]["request"].is_string());
  EXPECT_FALSE(absl::StrContains(log_.Text(), "\x1b"));
}

// Answers show whatever else has changed meanwhile; audit lines do not.
TEST_F(AuditTest, UpdatesAtTheSameTimeMakeOneChain) {
  Start({"--workers=2"});
  constexpr int kThreads = 4;
  constexpr int kUpdates = 25;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      AdminClient admin(*server_);
      for (int i = 1; i <= kUpdates; ++i) {
        admin::v1::UpdateListenerRequest request;
        request.mutable_listener()->set_name("listeners/default");
        request.mutable_listener()->set_max_connections(1000 * (thread + 1) +
                                                        i);
        admin::v1::Listener listener;
        EXPECT_TRUE(admin.Call(&Stub::UpdateListener, request, &listener).ok());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const auto last = absl::StrCat(admin_->Listener().max_connections());

  std::map<std::string, std::string> next;
  for (const json& audit : AuditsAtEnd()) {
    const json& change = audit["changes"]["max_connections"];
    EXPECT_EQ(audit["changes"].size(), 1u);
    EXPECT_EQ(change["after"], audit["request"]["listener"]["max_connections"]);
    EXPECT_TRUE(next.emplace(change["before"], change["after"]).second);
  }
  std::string value = "0";
  for (int i = 0; i < kThreads * kUpdates; ++i) value = next[value];
  EXPECT_EQ(value, last);
}

TEST_F(AuditTest, NoLevelHidesThem) {
  Start({"--log_level=off"});
  EXPECT_TRUE(admin_->MoveTo(0).ok());
  EXPECT_EQ(AuditsAtEnd().size(), 1u);
}

TEST_F(AuditTest, EachChangeOfAListenersLifeHasALine) {
  Start();
  admin::v1::Listener listener;
  admin::v1::CreateListenerRequest create;
  create.set_listener_id("blue");
  create.mutable_listener()->set_address("127.0.0.1");
  create.mutable_listener()->set_port(0);
  ASSERT_TRUE(admin_->Call(&Stub::CreateListener, create, &listener).ok());
  admin::v1::PauseListenerRequest pause;
  pause.set_name("listeners/blue");
  ASSERT_TRUE(admin_->Call(&Stub::PauseListener, pause, &listener).ok());
  admin::v1::ResumeListenerRequest resume;
  resume.set_name("listeners/blue");
  ASSERT_TRUE(admin_->Call(&Stub::ResumeListener, resume, &listener).ok());
  admin::v1::DeleteListenerRequest remove;
  remove.set_name("listeners/blue");
  ASSERT_TRUE(admin_->Call(&Stub::DeleteListener, remove, &listener).ok());
  ASSERT_FALSE(admin_->Call(&Stub::DeleteListener, remove, &listener).ok());

  std::vector<std::string> lines;
  for (const json& audit : AuditsAtEnd()) {
    EXPECT_EQ(audit["resource"], "listeners/blue");
    lines.push_back(absl::StrCat(audit["method"].get<std::string>(), " ",
                                 audit["code"].get<std::string>()));
  }
  EXPECT_EQ(lines,
            (std::vector<std::string>{"CreateListener OK", "PauseListener OK",
                                      "ResumeListener OK", "DeleteListener OK",
                                      "DeleteListener NOT_FOUND"}));
}

}  // namespace
}  // namespace echod::e2e
