// SPDX-License-Identifier: Apache-2.0

#ifndef TESTS_E2E_RELOADED_SERVER_H_
#define TESTS_E2E_RELOADED_SERVER_H_

#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "echo/base/socket_address.h"
#include "gtest/gtest.h"
#include "tests/e2e/admin_client.h"
#include "tests/e2e/server_log.h"
#include "tests/support/eventually.h"
#include "tests/support/server_process.h"
#include "tests/support/tcp_client.h"

namespace echod::e2e {

// The default listener.
inline constexpr char kDefault[] =
    "{name: default, address: 127.0.0.1, port: 0}";

// A server with a configuration file that the test changes.
class ReloadedServerTest : public ::testing::Test {
 protected:
  ReloadedServerTest() {
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
    server_ = std::make_unique<testing::ServerProcess>(
        testing::ServerProcess::Options{.flags = std::move(more),
                                        .with_listen = false,
                                        .in_child = log_.AsStandardError()});
    admin_ = std::make_unique<AdminClient>(*server_);
  }

  std::int64_t Reloads(const std::string& outcome) {
    return admin_->Stats().config_reloads_total().at(outcome);
  }
  std::int64_t Reloads() { return Reloads("success") + Reloads("failure"); }
  bool WaitForReload(std::int64_t before) {
    return testing::Eventually([&] { return Reloads() > before; });
  }

  admin::v1::Server Server() {
    admin::v1::Server server;
    admin_->Call(&AdminClient::Stub::GetServer, admin::v1::GetServerRequest(),
                 &server);
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

  std::map<std::string, admin::v1::Listener> Listeners() {
    admin::v1::ListListenersResponse list;
    admin_->Call(&AdminClient::Stub::ListListeners,
                 admin::v1::ListListenersRequest(), &list);
    std::map<std::string, admin::v1::Listener> listeners;
    for (const admin::v1::Listener& each : list.listeners()) {
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
    admin::v1::Listener ignored;
    return admin_->Call(&AdminClient::Stub::CreateListener, request, &ignored);
  }
  grpc::Status SetMaxConnections(const std::string& id, std::int64_t most) {
    admin::v1::UpdateListenerRequest request;
    request.mutable_listener()->set_name(absl::StrCat("listeners/", id));
    request.mutable_listener()->set_max_connections(most);
    admin::v1::Listener ignored;
    return admin_->Call(&AdminClient::Stub::UpdateListener, request, &ignored);
  }

  std::optional<testing::TcpClient> ConnectTo(const std::string& id) {
    return testing::TcpClient::Connect(*SocketAddress::FromHost(
        "127.0.0.1", static_cast<std::uint16_t>(Listeners()[id].bound_port())));
  }

  bool LogHas(const std::string& text) {
    return testing::Eventually(
        [&] { return absl::StrContains(log_.Text(), text); });
  }

  const std::string folder_ = absl::StrCat(
      std::getenv("TEST_TMPDIR"), "/",
      ::testing::UnitTest::GetInstance()->current_test_info()->name());
  const std::string file_ = folder_ + "/echod.yaml";
  const ServerLog log_;
  std::unique_ptr<testing::ServerProcess> server_;
  std::unique_ptr<AdminClient> admin_;
};

}  // namespace echod::e2e

#endif  // TESTS_E2E_RELOADED_SERVER_H_
