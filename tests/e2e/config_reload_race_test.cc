// SPDX-License-Identifier: Apache-2.0

// Reloads of the configuration file under load, and beside other changes.

#include <atomic>
#include <csignal>
#include <cstdint>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "echo/base/socket_address.h"
#include "gtest/gtest.h"
#include "tests/e2e/admin_client.h"
#include "tests/e2e/reloaded_server.h"
#include "tests/support/conversation.h"
#include "tests/support/eventually.h"
#include "tests/support/tcp_client.h"

namespace echod::e2e {
namespace {

using admin::v1::Listener;
using testing::Echoes;
using testing::Eventually;
using testing::TcpClient;
using Stub = AdminClient::Stub;

class ConfigReloadRaceTest : public ReloadedServerTest {};

TEST_F(ConfigReloadRaceTest, NoConnectionIsLostUnderLoad) {
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

TEST_F(ConfigReloadRaceTest, SwappedPortsRefuseNobody) {
  const std::string kOther = "{name: other, address: 127.0.0.1, port: 0}";
  WriteListeners({kDefault, kOther});
  Start();
  std::vector<int> ports;
  for (const auto& [id, listener] : Listeners()) {
    ports.push_back(listener.bound_port());
  }
  std::atomic<bool> stop = false;
  std::atomic<int> lost = 0;
  std::atomic<int> echoed = 0;
  std::vector<std::thread> load;
  for (const int port : ports) {
    load.emplace_back([&, port] {
      const SocketAddress address = *SocketAddress::FromHost(
          "127.0.0.1", static_cast<std::uint16_t>(port));
      while (!stop) {
        std::optional<TcpClient> client = TcpClient::Connect(address);
        ++(client.has_value() && Echoes(*client, "new") ? echoed : lost);
      }
    });
  }
  for (int i = 0; i < 10; ++i) {
    std::swap(ports[0], ports[1]);
    WriteListeners(
        {absl::StrCat("{name: default, address: 127.0.0.1, port: ", ports[0],
                      "}"),
         absl::StrCat("{name: other, address: 127.0.0.1, port: ", ports[1],
                      "}")});
    EXPECT_EQ(ReloadError(), "");
    const int before = echoed;
    EXPECT_TRUE(Eventually([&] { return echoed >= before + 4; }));
  }
  stop = true;
  for (std::thread& each : load) each.join();
  EXPECT_EQ(lost, 0);
  EXPECT_EQ(Listeners()["default"].generation(), 11);
}

TEST_F(ConfigReloadRaceTest, RacesWithUpdatesAndItself) {
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

}  // namespace
}  // namespace echod::e2e
