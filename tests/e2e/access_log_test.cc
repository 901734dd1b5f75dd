// SPDX-License-Identifier: Apache-2.0

// The access log of the real program.

#include <fcntl.h>
#include <google/protobuf/util/json_util.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "echo/base/socket_address.h"
#include "echo/base/unique_fd.h"
#include "gtest/gtest.h"
#include "tests/e2e/admin_client.h"
#include "tests/support/conversation.h"
#include "tests/support/eventually.h"
#include "tests/support/server_process.h"
#include "tests/support/tcp_client.h"

namespace echod::e2e {
namespace {

using nlohmann::json;
using testing::Echoes;
using testing::Eventually;
using testing::Finished;
using testing::RunEchod;
using testing::ServerProcess;
using testing::TcpClient;
using End = TcpClient::End;
using Stub = AdminClient::Stub;

std::string NewPath(const std::string& name) {
  std::string path =
      absl::StrCat(std::getenv("TEST_TMPDIR"), "/", name, ".", getpid());
  unlink(path.c_str());
  return path;
}

std::vector<json> Records(const std::string& path) {
  std::vector<json> records;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    records.push_back(json::parse(line));
  }
  return records;
}

void Converse(const ServerProcess& server) {
  TcpClient client = server.Connect();
  ASSERT_TRUE(Echoes(client, "one"));
  client.FinishSending();
  ASSERT_EQ(client.WaitForEnd(), End::kEof);
}

TEST(AccessLogTest, HasTheFieldsOfConnection) {
  const std::string path = NewPath("log");
  ServerProcess server({absl::StrCat("--access_log=", path),
                        "--access_log_events=all", "--workers=2"});
  AdminClient admin(server);
  TcpClient client = server.Connect();
  ASSERT_TRUE(Echoes(client, "one"));
  admin::v1::GetConnectionRequest request;
  request.set_name("connections/1");
  admin::v1::Connection shown;
  ASSERT_TRUE(admin.Call(&Stub::GetConnection, request, &shown).ok());
  client.FinishSending();
  ASSERT_EQ(client.WaitForEnd(), End::kEof);
  ASSERT_TRUE(Eventually([&] { return Records(path).size() == 2; }));

  std::vector<admin::v1::Connection> connections;
  for (json& record : Records(path)) {
    EXPECT_TRUE(absl::EndsWith(record["time"].get<std::string>(), "Z"));
    record.erase("time");
    record.erase("event");
    record.erase("reason");
    // Every other member is a field of Connection, and all that a list shows
    // are there.
    admin::v1::Connection connection;
    const auto parsed =
        google::protobuf::util::JsonStringToMessage(record.dump(), &connection);
    EXPECT_TRUE(parsed.ok()) << record << parsed.ToString();
    constexpr int kNotHere = 2;  // tcp_info, and peer_credentials over TCP
    EXPECT_EQ(static_cast<int>(record.size()),
              admin::v1::Connection::descriptor()->field_count() - kNotHere);
    EXPECT_EQ(connection.name(), shown.name());
    EXPECT_EQ(connection.listener(), shown.listener());
    EXPECT_EQ(connection.listener_generation(), shown.listener_generation());
    EXPECT_EQ(connection.worker(), shown.worker());
    EXPECT_EQ(connection.remote_address(), client.local().ToString());
    EXPECT_EQ(connection.local_address(), shown.local_address());
    EXPECT_EQ(connection.create_time().seconds(),
              shown.create_time().seconds());
    connections.push_back(connection);
  }
  EXPECT_EQ(Records(path)[0]["event"], "opened");
  EXPECT_EQ(connections[0].bytes_received(), 0);
  EXPECT_EQ(connections[0].state(), admin::v1::Connection::STATE_OPEN);
  EXPECT_EQ(Records(path)[1]["event"], "closed");
  EXPECT_EQ(Records(path)[1]["reason"], "peer_closed");
  EXPECT_EQ(connections[1].bytes_received(), 4);
  EXPECT_EQ(connections[1].bytes_sent(), 13);
  EXPECT_EQ(connections[1].lines_echoed(), 1);
}

TEST(AccessLogTest, HasEveryConnectionWhenTheServerHasDrained) {
  constexpr int kConnections = 300;
  const std::string path = NewPath("log");
  ServerProcess server({absl::StrCat("--access_log=", path), "--workers=2"});
  std::vector<TcpClient> clients;
  for (int i = 0; i < kConnections; ++i) clients.push_back(server.Connect());
  for (TcpClient& client : clients) ASSERT_TRUE(Echoes(client, "one"));
  server.Signal(SIGTERM);
  for (TcpClient& client : clients) {
    EXPECT_EQ(client.WaitForEnd(), End::kEof);
    client.FinishSending();
  }
  EXPECT_EQ(server.WaitForExit(), 0);
  std::map<std::string, int> reasons;
  for (const json& record : Records(path)) ++reasons[record["reason"]];
  EXPECT_EQ(reasons, (std::map<std::string, int>{{"drained", kConnections}}));
}

TEST(AccessLogTest, SighupOpensItAnewAndEndsNothing) {
  const std::string path = NewPath("log");
  const std::string old = path + ".1";
  // As under nohup.
  ServerProcess server({.flags = {absl::StrCat("--access_log=", path)},
                        .in_child = [] { signal(SIGHUP, SIG_IGN); }});
  Converse(server);
  ASSERT_TRUE(Eventually([&] { return Records(path).size() == 1; }));
  ASSERT_EQ(std::rename(path.c_str(), old.c_str()), 0);
  server.Signal(SIGHUP);
  ASSERT_TRUE(Eventually([&] { return access(path.c_str(), F_OK) == 0; }));
  Converse(server);
  EXPECT_TRUE(Eventually([&] { return Records(path).size() == 1; }));
  EXPECT_EQ(Records(old).size(), 1u);
  server.Signal(SIGTERM);
  EXPECT_EQ(server.WaitForExit(), 0);
}

// As logrotate does without a postrotate script. echod looks each second.
TEST(AccessLogTest, ARenameAloneOpensItAnew) {
  const std::string path = NewPath("log");
  const std::string old = path + ".1";
  const ServerProcess server({absl::StrCat("--access_log=", path)});
  ASSERT_EQ(std::rename(path.c_str(), old.c_str()), 0);
  ASSERT_TRUE(Eventually([&] { return access(path.c_str(), F_OK) == 0; }));
  Converse(server);
  EXPECT_TRUE(Eventually([&] { return Records(path).size() == 1; }));
}

// Only the signal tells that a pipe has been replaced.
TEST(AccessLogTest, SighupOpensAPipeAnew) {
  const std::string path = NewPath("pipe");
  const std::string old = path + ".1";
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  ServerProcess server({absl::StrCat("--access_log=", path)});
  ASSERT_EQ(std::rename(path.c_str(), old.c_str()), 0);
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  const UniqueFd reader(open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  server.Signal(SIGHUP);
  // Until echod has the new one, records are for the old one.
  EXPECT_TRUE(Eventually([&] {
    Converse(server);
    char byte = 0;
    return read(reader.get(), &byte, 1) == 1;
  }));
  server.Signal(SIGTERM);
  EXPECT_EQ(server.WaitForExit(), 0);
}

// Without anything to open anew, it means what it always did.
TEST(AccessLogTest, OnStandardOutputSighupDrains) {
  const std::string path = NewPath("out");
  const UniqueFd file(open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  ServerProcess server(
      {.flags = {"--access_log=-"},
       .in_child = [fd = file.get()] { dup2(fd, STDOUT_FILENO); }});
  Converse(server);
  EXPECT_TRUE(Eventually([&] { return Records(path).size() == 1; }));
  server.Signal(SIGHUP);
  EXPECT_EQ(server.WaitForExit(), 0);
}

TEST(AccessLogTest, AFullDiskIsCounted) {
  ServerProcess server({"--access_log=/dev/full"});
  AdminClient admin(server);
  for (int i = 1; i <= 3; ++i) {
    Converse(server);
    EXPECT_TRUE(Eventually(
        [&] { return admin.Stats().access_log_records_dropped_total() == i; }));
  }
  server.Signal(SIGTERM);
  EXPECT_EQ(server.WaitForExit(), 0);
}

TEST(AccessLogTest, APipeThatNobodyReadsHoldsNobodyUp) {
  const std::string path = NewPath("pipe");
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  ServerProcess server({absl::StrCat("--access_log=", path)});
  // More than the pipe takes.
  for (int i = 0; i < 500; ++i) Converse(server);
  AdminClient admin(server);
  EXPECT_EQ(admin.Stats().total().connections_closed_total().at("peer_closed"),
            500);
  server.Signal(SIGTERM);
  EXPECT_EQ(server.WaitForExit(), 0);
}

// Its last records are still there when everything else has ended, and the
// reader is late.
TEST(AccessLogTest, TheEndWaitsAMomentForTheLastRecords) {
  const std::string path = NewPath("pipe");
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  const UniqueFd pipe(open(path.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
  while (write(pipe.get(), "\n", 1) == 1) {
  }
  ServerProcess server({absl::StrCat("--access_log=", path)});
  Converse(server);
  server.Signal(SIGTERM);
  const SocketAddress admin = *SocketAddress::Parse(server.admin_address());
  EXPECT_TRUE(
      Eventually([&] { return !TcpClient::Connect(admin).has_value(); }));
  std::string records;
  const auto drain = [&] {
    char bytes[65536];
    for (;;) {
      const ssize_t count = read(pipe.get(), bytes, sizeof bytes);
      if (count <= 0) return;
      records.append(bytes, static_cast<std::size_t>(count));
    }
  };
  drain();
  EXPECT_EQ(server.WaitForExit(), 0);
  drain();
  EXPECT_TRUE(absl::StrContains(records, R"("reason":"peer_closed")"));
}

TEST(AccessLogTest, WhatCannotBeWrittenIsAnErrorAtTheStart) {
  const Finished nowhere = RunEchod({"--access_log=/nowhere/log"});
  EXPECT_EQ(nowhere.exit_status, 2);
  EXPECT_TRUE(absl::StrContains(nowhere.err,
                                "flag --access_log: cannot write /nowhere/log"))
      << nowhere.err;
  const Finished events = RunEchod({"--access_log_events=some"});
  EXPECT_EQ(events.exit_status, 2);
  EXPECT_TRUE(absl::StrContains(
      events.err, "flag --access_log_events: choose closed or all"))
      << events.err;
}

}  // namespace
}  // namespace echod::e2e
