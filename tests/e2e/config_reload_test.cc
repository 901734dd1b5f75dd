// SPDX-License-Identifier: Apache-2.0

// Reloads of the configuration file: by SIGHUP, and with --watch_config.

#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "echo/base/socket_address.h"
#include "echo/base/unique_fd.h"
#include "gtest/gtest.h"
#include "src/proto/grpc/health/v1/health.pb.h"
#include "tests/e2e/admin_client.h"
#include "tests/e2e/health_client.h"
#include "tests/support/conversation.h"
#include "tests/support/eventually.h"
#include "tests/support/server_process.h"
#include "tests/support/tcp_client.h"

namespace echod::e2e {
namespace {

using admin::v1::Listener;
using testing::Echoes;
using testing::Eventually;
using testing::ServerProcess;
using testing::TcpClient;
using Stub = AdminClient::Stub;

constexpr char kDefault[] = "{name: default, address: 127.0.0.1, port: 0}";

class ConfigReloadTest : public ::testing::Test {
 protected:
  ConfigReloadTest() {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directory(folder_);
  }

  static void WriteTo(const std::string& path, const std::string& text) {
    std::ofstream(path) << text;
  }
  void Write(const std::string& text) { WriteTo(file_, text); }
  // The configuration with these listeners.
  void WriteListeners(const std::vector<std::string>& listeners) {
    std::string text = "workers: 2\nlisteners:\n";
    for (const std::string& each : listeners) {
      absl::StrAppend(&text, "- ", each, "\n");
    }
    Write(text);
  }

  void Start(std::vector<std::string> more = {}) {
    more.push_back(absl::StrCat("--config=", file_));
    server_ = std::make_unique<ServerProcess>(ServerProcess::Options{
        .flags = std::move(more), .with_listen = false, .in_child = [this] {
          dup2(log_.get(), STDERR_FILENO);
        }});
    admin_ = std::make_unique<AdminClient>(*server_);
  }

  std::int64_t Reloads(const std::string& outcome) {
    return admin_->Stats().config_reloads_total().at(outcome);
  }
  std::int64_t Reloads() { return Reloads("success") + Reloads("failure"); }
  bool WaitForReload(std::int64_t before) {
    return Eventually([&] { return Reloads() > before; });
  }

  admin::v1::Server Server() {
    admin::v1::Server server;
    admin_->Call(&Stub::GetServer, admin::v1::GetServerRequest(), &server);
    return server;
  }

  // Sends a SIGHUP, and returns the outcome.
  admin::v1::ConfigReload Reload() {
    const std::int64_t before = Reloads();
    server_->Signal(SIGHUP);
    EXPECT_TRUE(WaitForReload(before));
    return Server().last_config_reload();
  }
  // The error, with `f` for the file. Empty if it succeeded.
  std::string ReloadError() {
    const admin::v1::ConfigReload reload = Reload();
    EXPECT_EQ(reload.succeeded(), reload.error().empty());
    return absl::StrReplaceAll(reload.error(), {{file_, "f"}});
  }

  std::map<std::string, Listener> Listeners() {
    admin::v1::ListListenersResponse list;
    admin_->Call(&Stub::ListListeners, admin::v1::ListListenersRequest(),
                 &list);
    std::map<std::string, Listener> listeners;
    for (const Listener& each : list.listeners()) {
      listeners[each.name().substr(sizeof "listeners/" - 1)] = each;
    }
    return listeners;
  }
  // All that there is to know of the listeners.
  std::vector<std::string> Seen() {
    std::vector<std::string> seen;
    for (const auto& [id, listener] : Listeners()) {
      seen.push_back(listener.ShortDebugString());
    }
    return seen;
  }

  grpc::Status Create(const std::string& id) {
    admin::v1::CreateListenerRequest request;
    request.set_listener_id(id);
    request.mutable_listener()->set_address("127.0.0.1");
    request.mutable_listener()->set_port(0);
    Listener ignored;
    return admin_->Call(&Stub::CreateListener, request, &ignored);
  }
  grpc::Status SetMaxConnections(const std::string& id, std::int64_t most) {
    admin::v1::UpdateListenerRequest request;
    request.mutable_listener()->set_name(absl::StrCat("listeners/", id));
    request.mutable_listener()->set_max_connections(most);
    Listener ignored;
    return admin_->Call(&Stub::UpdateListener, request, &ignored);
  }

  std::optional<TcpClient> ConnectTo(const std::string& id) {
    return TcpClient::Connect(*SocketAddress::FromHost(
        "127.0.0.1", static_cast<std::uint16_t>(Listeners()[id].bound_port())));
  }

  std::string Log() const {
    std::string text;
    char bytes[4096];
    for (;;) {
      const ssize_t count = pread(log_.get(), bytes, sizeof bytes,
                                  static_cast<off_t>(text.size()));
      if (count <= 0) return text;
      text.append(bytes, static_cast<std::size_t>(count));
    }
  }
  bool LogHas(const std::string& text) {
    return Eventually([&] { return absl::StrContains(Log(), text); });
  }

  const std::string folder_ = absl::StrCat(
      std::getenv("TEST_TMPDIR"), "/",
      ::testing::UnitTest::GetInstance()->current_test_info()->name());
  const std::string file_ = folder_ + "/echod.yaml";
  const UniqueFd log_{memfd_create("log", MFD_CLOEXEC)};
  std::unique_ptr<ServerProcess> server_;
  std::unique_ptr<AdminClient> admin_;
};

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
        << Log();
  }
  EXPECT_FALSE(absl::StrContains(Log(), R"("resource":"listeners/same")"));
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

TEST_F(ConfigReloadTest, NoConnectionIsLostUnderLoad) {
  WriteListeners({kDefault});
  Start();
  std::atomic<bool> stop = false;
  std::atomic<int> lost = 0;
  std::atomic<int> echoed = 0;
  std::vector<std::thread> load;
  for (int i = 0; i < 3; ++i) {
    load.emplace_back([&] {
      std::optional<TcpClient> living =
          TcpClient::Connect(server_->echo_address());
      if (!living.has_value()) ++lost;
      while (!stop && living.has_value()) {
        // New ones, too: the port may have moved since it was read.
        std::optional<TcpClient> client =
            TcpClient::Connect(server_->echo_address());
        if (client.has_value() && !Echoes(*client, "new")) ++lost;
        if (!Echoes(*living, "living")) ++lost;
        ++echoed;
      }
    });
  }
  for (int i = 1; i <= 10; ++i) {
    // It moves to and fro between two addresses.
    WriteListeners(
        {absl::StrCat("{name: default, address: 127.0.0.", 1 + i % 2,
                      ", port: 0, backlog: ", 100 + i, "}"),
         absl::StrCat("{name: other", i, ", address: 127.0.0.1, port: 0}")});
    EXPECT_EQ(ReloadError(), "");
    const int before = echoed;
    EXPECT_TRUE(Eventually([&] { return echoed > before; }));
  }
  stop = true;
  for (std::thread& each : load) each.join();
  EXPECT_EQ(lost, 0);
  EXPECT_EQ(Listeners()["default"].generation(), 11);
}

TEST_F(ConfigReloadTest, RacesWithUpdatesAndItself) {
  WriteListeners({kDefault});
  Start();
  std::atomic<bool> stop = false;
  std::thread operators([&] {
    AdminClient admin(*server_);
    for (int i = 1; !stop; ++i) {
      admin::v1::UpdateListenerRequest update;
      update.mutable_listener()->set_name("listeners/default");
      update.mutable_listener()->set_max_connections(i % 100);
      Listener ignored;
      EXPECT_TRUE(admin.Call(&Stub::UpdateListener, update, &ignored).ok());
      admin::v1::CreateListenerRequest create;
      create.set_listener_id("contended");
      create.mutable_listener()->set_address("127.0.0.1");
      create.mutable_listener()->set_port(0);
      admin.Call(&Stub::CreateListener, create, &ignored);
      admin::v1::DeleteListenerRequest deletion;
      deletion.set_name("listeners/contended");
      admin.Call(&Stub::DeleteListener, deletion, &ignored);
    }
  });
  for (int i = 0; i < 20; ++i) {
    WriteListeners(
        {absl::StrCat("{name: default, address: 127.0.0.1, port: 0, backlog: ",
                      100 + i, "}"),
         "{name: contended, address: 127.0.0.1, port: 0}"});
    const std::int64_t before = Reloads();
    // Several at once are one or two reloads.
    for (int j = 0; j < 3; ++j) server_->Signal(SIGHUP);
    EXPECT_TRUE(WaitForReload(before));
  }
  stop = true;
  operators.join();
  EXPECT_EQ(ReloadError(), "");
  EXPECT_EQ(Listeners()["default"].max_connections(), 0);
  EXPECT_EQ(Listeners()["default"].backlog(), 119);
  EXPECT_EQ(Listeners().size(), 2u);
  EXPECT_GT(Reloads("success"), 0);
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

TEST_F(ConfigReloadTest, ReloadsWhenTheFileChanges) {
  WriteListeners({kDefault});
  Start({"--watch_config"});
  WriteListeners({kDefault, "{name: second, address: 127.0.0.1, port: 0}"});
  ASSERT_TRUE(WaitForReload(0));
  EXPECT_EQ(Listeners().size(), 2u);
  // Gone: nothing changes.
  std::filesystem::remove(file_);
  ASSERT_TRUE(WaitForReload(1));
  EXPECT_EQ(Reloads("failure"), 1);
  EXPECT_EQ(Listeners().size(), 2u);
  // And there again, by a rename.
  WriteTo(file_ + ".new",
          absl::StrCat("workers: 2\nlisteners: [", kDefault, "]\n"));
  std::filesystem::rename(file_ + ".new", file_);
  ASSERT_TRUE(WaitForReload(2));
  EXPECT_EQ(Reloads("failure"), 1);
  EXPECT_EQ(Listeners().size(), 1u);
}

// As the kubelet does it: the file is a link into a folder which a link names
// that is replaced.
TEST_F(ConfigReloadTest, ReloadsWhenAConfigMapChanges) {
  const auto publish = [&](const std::string& version,
                           const std::string& listeners) {
    std::filesystem::create_directory(folder_ + "/.." + version);
    WriteTo(absl::StrCat(folder_, "/..", version, "/echod.yaml"),
            absl::StrCat("workers: 2\nlisteners: [", listeners, "]\n"));
    std::filesystem::create_symlink(".." + version, folder_ + "/..data_tmp");
    std::filesystem::rename(folder_ + "/..data_tmp", folder_ + "/..data");
  };
  publish("2026_1", kDefault);
  std::filesystem::create_symlink("..data/echod.yaml", file_);
  Start({"--watch_config"});
  publish(
      "2026_2",
      absl::StrCat(kDefault, ", {name: second, address: 127.0.0.1, port: 0}"));
  std::filesystem::remove_all(folder_ + "/..2026_1");
  ASSERT_TRUE(WaitForReload(0));
  EXPECT_EQ(Reloads("failure"), 0);
  EXPECT_EQ(Listeners().size(), 2u);
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
