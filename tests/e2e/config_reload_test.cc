// SPDX-License-Identifier: Apache-2.0

// Reloads of the configuration file by SIGHUP: what they change.

#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "echo/base/socket_address.h"
#include "gtest/gtest.h"
#include "src/proto/grpc/health/v1/health.grpc.pb.h"
#include "tests/e2e/admin_client.h"
#include "tests/e2e/health_client.h"
#include "tests/e2e/reloaded_server.h"
#include "tests/support/conversation.h"
#include "tests/support/eventually.h"
#include "tests/support/short_folder.h"
#include "tests/support/tcp_client.h"

namespace echod::e2e {
namespace {

using admin::v1::Listener;
using testing::Echoes;
using testing::Eventually;
using testing::TcpClient;
using Stub = AdminClient::Stub;

class ConfigReloadTest : public ReloadedServerTest {};

TEST_F(ConfigReloadTest, AppliesTheDifferenceAndAuditsIt) {
  WriteListeners({kDefault, "{name: gone, address: 127.0.0.1, port: 0}",
                  "{name: same, address: 127.0.0.1, port: 0}"});
  Start();
  EXPECT_FALSE(Server().has_last_config_reload());
  ASSERT_TRUE(Create("runtime").ok());
  const std::map<std::string, Listener> before = Listeners();
  std::optional<TcpClient> gone = ConnectTo("gone");
  ASSERT_TRUE(gone.has_value() && Echoes(*gone, "one"));

  WriteListeners({"{name: default, address: 127.0.0.1, port: 0, mode: raw}",
                  "{name: new, address: 127.0.0.2, port: 0}",
                  "{name: same, address: 127.0.0.1, port: 0}"});
  EXPECT_EQ(ReloadError(), "");
  const std::map<std::string, Listener> after = Listeners();
  ASSERT_EQ(after.size(), 4u);
  EXPECT_EQ(after.at("default").mode(), Listener::MODE_RAW);
  EXPECT_EQ(after.at("default").bound_port(),
            before.at("default").bound_port());
  EXPECT_EQ(after.at("default").source(), Listener::SOURCE_CONFIG);
  EXPECT_EQ(after.at("new").address(), "127.0.0.2");
  EXPECT_EQ(after.at("new").source(), Listener::SOURCE_CONFIG);
  EXPECT_EQ(after.at("same").etag(), before.at("same").etag());
  EXPECT_EQ(after.at("runtime").etag(), before.at("runtime").etag());
  EXPECT_EQ(after.at("runtime").source(), Listener::SOURCE_RUNTIME);
  // Its port refuses, and its connections live on.
  EXPECT_FALSE(
      TcpClient::Connect(*SocketAddress::FromHost(
                             "127.0.0.1", static_cast<std::uint16_t>(
                                              before.at("gone").bound_port())))
          .has_value());
  EXPECT_TRUE(Echoes(*gone, "two"));

  EXPECT_TRUE(LogHas(absl::StrCat("reloaded ", file_)));
  for (const char* line :
       {R"("method":"UpdateListener","resource":"listeners/default",)"
        R"("changes":{"mode":{"before":"line","after":"raw"}},"code":"OK")",
        R"("method":"CreateListener","resource":"listeners/new")",
        R"("method":"DeleteListener","resource":"listeners/gone")"}) {
    EXPECT_TRUE(
        LogHas(absl::StrCat(R"(audit {"peer":"file:)", file_, "\",", line)))
        << log_.Text();
  }
  EXPECT_FALSE(
      absl::StrContains(log_.Text(), R"("resource":"listeners/same")"));
}

TEST_F(ConfigReloadTest, ABadFileChangesNothingAndSaysSo) {
  WriteListeners({kDefault});
  Start();
  ASSERT_TRUE(Create("runtime").ok());
  const std::vector<std::string> before = Seen();
  const std::string config = Server().running_config();
  const int taken = Listeners()["runtime"].bound_port();

  WriteListeners({"{name: default, address: 127.0.0.1, port: 0, mode: raw}",
                  "{name: new, prot: 1}"});
  EXPECT_EQ(ReloadError(),
            "f:4:3: listeners[1]: it has no port; write one, or port: 0 to let "
            "the kernel choose\n"
            "f:4:15: listeners[1].prot: there is no such field; did you mean "
            "port?");
  EXPECT_TRUE(LogHas("error cannot reload"));
  EXPECT_TRUE(LogHas("echod.yaml:4:15: listeners[1].prot: there is no such"));

  // The second is impossible, so the first does not change either.
  WriteListeners(
      {"{name: default, address: 127.0.0.1, port: 0, mode: raw}",
       absl::StrCat("{name: new, address: 127.0.0.1, port: ", taken, "}")});
  const std::string in_use = ReloadError();
  EXPECT_TRUE(absl::StartsWith(in_use, "f:4:10: listeners[1]: ")) << in_use;
  EXPECT_TRUE(absl::StrContains(
      in_use, absl::StrCat("listener runtime has port ", taken)))
      << in_use;

  Write("workers: 3\ndrain_timeout: 1s\nmode: raw\nlisteners: []\n");
  EXPECT_EQ(ReloadError(),
            "f:1:10: workers: it cannot change from '2' to '3' while echod "
            "runs; restart echod, or set it back\n"
            "f:2:16: drain_timeout: it cannot change from '30s' to '1s' while "
            "echod runs; restart echod, or set it back");

  Write("");
  EXPECT_TRUE(absl::StrContains(ReloadError(), "the file is empty"));
  std::filesystem::remove(file_);
  EXPECT_TRUE(absl::StrContains(ReloadError(), "No such file"));

  EXPECT_EQ(Seen(), before);
  EXPECT_EQ(Server().running_config(), config);
  EXPECT_EQ(Reloads("failure"), 5);
  EXPECT_EQ(Reloads("success"), 0);
  EXPECT_FALSE(admin_->Stats().has_config_last_reload_success_time());

  WriteListeners({kDefault});
  EXPECT_EQ(ReloadError(), "");
  EXPECT_EQ(Reloads("success"), 1);
  EXPECT_TRUE(admin_->Stats().has_config_last_reload_success_time());
}

TEST_F(ConfigReloadTest, TheFileHoldsForTheListenersThatItNames) {
  WriteListeners({kDefault, "{name: deleted, address: 127.0.0.1, port: 0}"});
  Start();
  ASSERT_TRUE(SetMaxConnections("default", 5).ok());
  ASSERT_TRUE(Create("adopted").ok());
  admin::v1::DeleteListenerRequest deletion;
  deletion.set_name("listeners/deleted");
  Listener ignored;
  ASSERT_TRUE(admin_->Call(&Stub::DeleteListener, deletion, &ignored).ok());

  WriteListeners({kDefault, "{name: deleted, address: 127.0.0.1, port: 0}",
                  "{name: adopted, address: 127.0.0.1, port: 0}"});
  EXPECT_EQ(ReloadError(), "");
  std::map<std::string, Listener> now = Listeners();
  ASSERT_EQ(now.size(), 3u);
  EXPECT_EQ(now["default"].max_connections(), 0);
  EXPECT_EQ(now["deleted"].source(), Listener::SOURCE_CONFIG);
  EXPECT_EQ(now["adopted"].source(), Listener::SOURCE_CONFIG);
  // From now on it is the file's.
  WriteListeners({kDefault});
  EXPECT_EQ(ReloadError(), "");
  EXPECT_EQ(Listeners().size(), 1u);
}

TEST_F(ConfigReloadTest, PausesAndResumes) {
  constexpr char kPaused[] =
      "{name: default, address: 127.0.0.1, port: 0, state: paused}";
  WriteListeners({kPaused});
  Start();
  EXPECT_EQ(Listeners()["default"].state(), Listener::STATE_PAUSED);
  std::optional<TcpClient> waits = ConnectTo("default");
  ASSERT_TRUE(waits.has_value() && waits->Send("held\n"));
  WriteListeners({kDefault});
  EXPECT_EQ(ReloadError(), "");
  EXPECT_EQ(waits->Read(14), "YOU SAID held\n");
  EXPECT_EQ(Listeners()["default"].state(), Listener::STATE_ACTIVE);
  WriteListeners({kPaused});
  EXPECT_EQ(ReloadError(), "");
  EXPECT_EQ(Listeners()["default"].state(), Listener::STATE_PAUSED);
  EXPECT_TRUE(
      LogHas(R"("changes":{"state":{"before":"active","after":"paused"}})"));
}

TEST_F(ConfigReloadTest, PassesPortsOn) {
  WriteListeners({kDefault, "{name: other, address: 127.0.0.1, port: 0}"});
  Start();
  const int first = Listeners()["default"].bound_port();
  const int second = Listeners()["other"].bound_port();
  const auto on = [](const std::string& name, int port) {
    return absl::StrCat("{name: ", name, ", address: 127.0.0.1, port: ", port,
                        "}");
  };
  WriteListeners({on("default", second), on("other", first)});
  EXPECT_EQ(ReloadError(), "");
  EXPECT_EQ(Listeners()["default"].bound_port(), second);
  EXPECT_EQ(Listeners()["other"].bound_port(), first);
  WriteListeners({on("default", first), on("new", second)});
  EXPECT_EQ(ReloadError(), "");
  EXPECT_EQ(Listeners()["default"].bound_port(), first);
  EXPECT_EQ(Listeners()["new"].bound_port(), second);
  std::optional<TcpClient> client = ConnectTo("new");
  EXPECT_TRUE(client.has_value() && Echoes(*client, "one"));

  // Not to an address that overlaps it.
  WriteListeners(
      {absl::StrCat("{name: default, address: 0.0.0.0, port: ", second, "}")});
  EXPECT_TRUE(absl::EndsWith(
      ReloadError(),
      absl::StrCat("; listener new has port ", second,
                   " on address 127.0.0.1. To pass the port on, move or delete "
                   "that listener in this file, and write the same address "
                   "here; or free the port with one reload, and take it with "
                   "the next")));
  EXPECT_EQ(Listeners().size(), 2u);
}

TEST_F(ConfigReloadTest, FlagsThatCanChangeDo) {
  Write(absl::StrCat("log_level: info\nidle_timeout: 5m\nlisteners: [",
                     kDefault, "]\n"));
  Start({"--max_connections=9"});
  Write(absl::StrCat(
      "log_level: debug\nidle_timeout: 1h\nmax_connections: 3\nlisteners: [",
      kDefault, "]\n"));
  EXPECT_EQ(ReloadError(), "");
  EXPECT_EQ(Listeners()["default"].idle_timeout().seconds(), 3600);
  EXPECT_EQ(Listeners()["default"].max_connections(), 9);
  EXPECT_EQ(Server().config().at("idle_timeout"), "1h");
  // Set by the main loop, soon after the reload.
  EXPECT_TRUE(Eventually([&] {
    return absl::StrContains(Server().running_config(), "log_level: debug\n");
  }));
}

TEST_F(ConfigReloadTest, WhileDrainingItFailsAndTheDrainGoesOn) {
  WriteListeners({kDefault});
  Start({"--drain_grace_period=1h"});
  server_->Signal(SIGTERM);
  ASSERT_TRUE(Eventually(
      [&] { return Server().state() == admin::v1::Server::STATE_DRAINING; }));
  EXPECT_TRUE(absl::StrContains(ReloadError(), "drain"));
  EXPECT_EQ(Server().state(), admin::v1::Server::STATE_DRAINING);
}

// The path of a Unix socket has no port, in a change as little as in the file.
TEST_F(ConfigReloadTest, KeepsMovesAndSwapsUnixSockets) {
  const testing::ShortFolder folder;
  const auto listener = [&](const std::string& name, const std::string& path,
                            const std::string& mode) {
    return absl::StrCat("{name: ", name, ", address: \"unix:", folder.At(path),
                        "\", mode: ", mode, "}");
  };
  const auto answer = [&](const std::string& path) {
    std::optional<TcpClient> client = TcpClient::ConnectTo(folder.At(path));
    return client.has_value() && client->Send("a\n") ? client->Read(2) : "";
  };
  WriteListeners({listener("lines", "1", "line"), kDefault});
  Start();
  EXPECT_EQ(ReloadError(), "");
  WriteListeners(
      {listener("lines", "1", "line"), listener("default", "2", "raw")});
  EXPECT_EQ(ReloadError(), "");
  EXPECT_EQ(answer("1"), "YO");
  EXPECT_EQ(answer("2"), "a\n");
  WriteListeners(
      {listener("lines", "2", "line"), listener("default", "1", "raw")});
  EXPECT_EQ(ReloadError(), "");
  EXPECT_EQ(answer("1"), "a\n");
  EXPECT_EQ(answer("2"), "YO");
  WriteListeners({listener("lines", "2", "line"), kDefault});
  EXPECT_EQ(ReloadError(), "");
  std::optional<TcpClient> client = ConnectTo("default");
  EXPECT_TRUE(client.has_value() && Echoes(*client, "one"));
  EXPECT_FALSE(std::filesystem::exists(folder.At("1")));
}

// A reload moves what readiness expects together with the listener.
TEST_F(ConfigReloadTest, ReadinessFollowsTheFile) {
  using grpc::health::v1::HealthCheckResponse;
  const std::string gone = "{name: gone, address: 127.0.0.1, port: 0}";
  WriteListeners({kDefault, gone});
  Start();
  const std::string pinned = absl::StrCat("echod.listener/default:",
                                          Listeners()["default"].bound_port());
  HealthWatch readiness(*admin_, "readiness");
  EXPECT_EQ(readiness.Next(), HealthCheckResponse::SERVING);
  WriteListeners({"{name: default, address: 127.0.0.2, port: 0}",
                  "{name: added, address: 127.0.0.2, port: 0}"});
  EXPECT_EQ(ReloadError(), "");
  EXPECT_EQ(Health(*admin_, "readiness"), HealthCheckResponse::SERVING);
  EXPECT_EQ(Health(*admin_, "echod.listener/added"),
            HealthCheckResponse::SERVING);
  EXPECT_EQ(Health(*admin_, "echod.listener/gone"),
            HealthCheckResponse::UNKNOWN);
  EXPECT_EQ(Health(*admin_, pinned), HealthCheckResponse::NOT_SERVING);

  admin::v1::DeleteListenerRequest deletion;
  deletion.set_name("listeners/added");
  Listener ignored;
  ASSERT_TRUE(admin_->Call(&Stub::DeleteListener, deletion, &ignored).ok());
  // The first change since the start.
  EXPECT_EQ(readiness.Next(), HealthCheckResponse::NOT_SERVING);
  EXPECT_EQ(ReloadError(), "");
  EXPECT_EQ(readiness.Next(), HealthCheckResponse::SERVING);

  // What an operator has deleted is not missed once the file leaves it out,
  // too.
  ASSERT_TRUE(admin_->Call(&Stub::DeleteListener, deletion, &ignored).ok());
  EXPECT_EQ(readiness.Next(), HealthCheckResponse::NOT_SERVING);
  WriteListeners({"{name: default, address: 127.0.0.2, port: 0}"});
  EXPECT_EQ(ReloadError(), "");
  EXPECT_EQ(readiness.Next(), HealthCheckResponse::SERVING);
}

}  // namespace
}  // namespace echod::e2e
