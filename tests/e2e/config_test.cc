// SPDX-License-Identifier: Apache-2.0

// The configuration file: --config and --check_config.

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "gtest/gtest.h"
#include "tests/e2e/admin_client.h"
#include "tests/support/server_process.h"

namespace echod::e2e {
namespace {

using testing::Finished;
using testing::RunEchod;
using testing::ServerProcess;

// A file with this text, in the test's directory.
std::string FileOf(const std::string& text) {
  std::string path = absl::StrCat(
      std::getenv("TEST_TMPDIR"), "/",
      ::testing::UnitTest::GetInstance()->current_test_info()->name(), ".yaml");
  std::ofstream(path) << text;
  return path;
}

admin::v1::ListListenersResponse Listeners(AdminClient& admin) {
  admin::v1::ListListenersResponse listeners;
  admin.Call(&AdminClient::Stub::ListListeners,
             admin::v1::ListListenersRequest(), &listeners);
  return listeners;
}

admin::v1::Server Described(AdminClient& admin) {
  admin::v1::Server server;
  admin.Call(&AdminClient::Stub::GetServer, admin::v1::GetServerRequest(),
             &server);
  return server;
}

TEST(ConfigTest, HoldsFlagsAndListeners) {
  const std::string file = FileOf(R"(
# The flags below the address and the port file are the test's.
workers: 2
idle_timeout: 1h
listeners:
  - name: lines
    address: 127.0.0.1
    port: 0
    max_connections: 7
  - name: bytes
    address: 127.0.0.1
    port: 0
    mode: MODE_RAW
    idle_timeout: 30s
)");
  // --listen adds the listener that the test's process waits for.
  const ServerProcess server({absl::StrCat("--config=", file)});
  AdminClient admin(server);
  const admin::v1::Server described = Described(admin);
  EXPECT_EQ(described.worker_count(), 2);
  EXPECT_EQ(described.config().at("workers"), "2");
  EXPECT_EQ(described.config().at("config"), file);

  const admin::v1::ListListenersResponse listed = Listeners(admin);
  ASSERT_EQ(listed.listeners_size(), 3);
  const admin::v1::Listener& bytes = listed.listeners(0);
  const admin::v1::Listener& lines = listed.listeners(2);
  EXPECT_EQ(bytes.name(), "listeners/bytes");
  EXPECT_EQ(bytes.mode(), admin::v1::Listener::MODE_RAW);
  EXPECT_EQ(bytes.idle_timeout().seconds(), 30);
  EXPECT_EQ(bytes.source(), admin::v1::Listener::SOURCE_CONFIG);
  EXPECT_EQ(listed.listeners(1).name(), "listeners/default");
  EXPECT_EQ(lines.name(), "listeners/lines");
  EXPECT_EQ(lines.max_connections(), 7);
  EXPECT_EQ(lines.idle_timeout().seconds(), 3600);
}

TEST(ConfigTest, JsonIsAConfigurationToo) {
  const std::string file = FileOf(
      "{\"workers\":2,\"listeners\":[{\"name\":\"json\",\n"
      "\t\"address\":\"127.0.0.1\",\"port\":0}]}\n");
  const ServerProcess server({absl::StrCat("--config=", file)});
  AdminClient admin(server);
  const admin::v1::ListListenersResponse listed = Listeners(admin);
  ASSERT_EQ(listed.listeners_size(), 2);
  EXPECT_EQ(listed.listeners(1).name(), "listeners/json");
}

TEST(ConfigTest, MistakesAreReportedAllAtOnceBeforeAnythingStarts) {
  const std::string file = FileOf(
      "worker: 2\n"
      "listeners:\n"
      "- name: default\n"
      "  port: 65536\n"
      "- name: Other\n"
      "  port: 0\n");
  const std::string ports = absl::StrCat(file, ".ports");
  for (const char* check : {"--check_config=false", "--check_config"}) {
    const Finished finished =
        RunEchod({absl::StrCat("--config=", file), check, "--workers=-1",
                  absl::StrCat("--port_file=", ports)});
    EXPECT_EQ(finished.exit_status, 2);
    EXPECT_EQ(finished.out, "");
    EXPECT_EQ(absl::StrReplaceAll(finished.err, {{file, "f"}}),
              "echod: flag --workers: -1 is out of bounds; choose 1 to 1024, "
              "or 0 for one for each CPU\n"
              "echod: f:1:1: worker: there is no such field; did you mean "
              "workers?\n"
              "echod: f:4:9: listeners[0].port: '65536' is not a port; choose "
              "one from 0 to 65535\n"
              "echod: f:5:9: listeners[1].name: choose 1 to 63 lower-case "
              "letters, digits and hyphens, of which the first is a letter and "
              "the last is no hyphen\n");
    EXPECT_FALSE(std::ifstream(ports).good());
  }
}

// What of the listeners a configuration holds.
std::vector<std::string> Configured(AdminClient& admin) {
  std::vector<std::string> configured;
  const admin::v1::ListListenersResponse listed = Listeners(admin);
  for (admin::v1::Listener listener : listed.listeners()) {
    for (const char* field : {"bound_port", "create_time", "update_time",
                              "generation", "source", "etag"}) {
      listener.GetReflection()->ClearField(
          &listener, listener.GetDescriptor()->FindFieldByName(field));
    }
    configured.push_back(listener.ShortDebugString());
  }
  return configured;
}

TEST(ConfigTest, TheRunningConfigurationStartsTheSameServer) {
  const std::string first = FileOf(R"(
workers: 2
drain_timeout: 20s
listeners:
  - {name: default, address: 127.0.0.1, port: 0}
  - {name: gone, address: 127.0.0.1, port: 0}
  - {name: kept, address: 127.0.0.1, port: 0, mode: raw}
)");
  std::vector<std::string> wanted;
  std::string dump;
  {
    ServerProcess server(
        {.flags = {absl::StrCat("--config=", first)}, .with_listen = false});
    AdminClient admin(server);
    admin::v1::Listener ignored;
    admin::v1::CreateListenerRequest create;
    create.set_listener_id("added");
    create.mutable_listener()->set_address("::1");
    create.mutable_listener()->set_port(0);
    create.mutable_listener()->set_max_connections_per_address(3);
    create.mutable_listener()->mutable_idle_timeout()->set_nanos(1'500'000);
    ASSERT_TRUE(
        admin.Call(&AdminClient::Stub::CreateListener, create, &ignored).ok());
    admin::v1::DeleteListenerRequest deletion;
    deletion.set_name("listeners/gone");
    ASSERT_TRUE(
        admin.Call(&AdminClient::Stub::DeleteListener, deletion, &ignored)
            .ok());
    admin::v1::UpdateListenerRequest update;
    update.mutable_listener()->set_name("listeners/default");
    update.mutable_listener()->set_port(server.echo_address().port());
    update.mutable_listener()->set_mode(admin::v1::Listener::MODE_RAW);
    update.mutable_listener()->set_max_line_bytes(99);
    ASSERT_TRUE(
        admin.Call(&AdminClient::Stub::UpdateListener, update, &ignored).ok());
    admin::v1::PauseListenerRequest pause;
    pause.set_name("listeners/kept");
    ASSERT_TRUE(
        admin.Call(&AdminClient::Stub::PauseListener, pause, &ignored).ok());
    wanted = Configured(admin);
    ASSERT_EQ(wanted.size(), 3u);
    dump = Described(admin).running_config();
    server.Signal(SIGTERM);
    EXPECT_EQ(server.WaitForExit(), 0);
  }
  const std::string second = FileOf(dump);
  const Finished checked =
      RunEchod({"--check_config", absl::StrCat("--config=", second)});
  EXPECT_EQ(checked.exit_status, 0) << checked.err << dump;
  const ServerProcess server(
      {.flags = {absl::StrCat("--config=", second)}, .with_listen = false});
  AdminClient admin(server);
  EXPECT_EQ(Configured(admin), wanted) << dump;
  EXPECT_EQ(Described(admin).worker_count(), 2);
  EXPECT_EQ(Described(admin).config().at("drain_timeout"), "20s");
  // The test chooses these two by flags.
  const auto without_own = [](const std::string& text) {
    std::vector<std::string> lines = absl::StrSplit(text, '\n');
    lines.erase(std::remove_if(lines.begin(), lines.end(),
                               [](const std::string& line) {
                                 return absl::StartsWith(line, "port_file:");
                               }),
                lines.end());
    return lines;
  };
  EXPECT_EQ(without_own(Described(admin).running_config()), without_own(dump));
}

TEST(ConfigTest, ChecksWithoutStarting) {
  const ServerProcess server;
  // Taken, and so no reason to call the file wrong: it may be for another host.
  const std::string file =
      FileOf(absl::StrCat("listeners: [{name: a, address: 127.0.0.1, port: ",
                          server.echo_address().port(), "}]"));
  const Finished valid =
      RunEchod({"--check_config", absl::StrCat("--config=", file)});
  EXPECT_EQ(valid.exit_status, 0) << valid.err;
  EXPECT_EQ(valid.out, absl::StrCat(file, " is valid\n"));
  EXPECT_EQ(valid.err, "");

  const Finished nothing = RunEchod({"--check_config"});
  EXPECT_EQ(nothing.exit_status, 2);
  EXPECT_EQ(nothing.err,
            "echod: flag --check_config: name the file to check with "
            "--config\n");
}

TEST(ConfigTest, AFileThatCannotBeReadIsAnError) {
  for (const char* path : {"/nowhere/echod.yaml", "/dev/zero", "/"}) {
    const Finished finished = RunEchod({absl::StrCat("--config=", path)});
    EXPECT_EQ(finished.exit_status, 2);
    EXPECT_EQ(finished.err.rfind(
                  absl::StrCat("echod: flag --config: ", path, " "), 0),
              0u)
        << finished.err;
    EXPECT_EQ(std::count(finished.err.begin(), finished.err.end(), '\n'), 1);
  }
}

}  // namespace
}  // namespace echod::e2e
