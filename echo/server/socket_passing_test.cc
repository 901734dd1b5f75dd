// SPDX-License-Identifier: Apache-2.0

// Changes in which a listener takes the address that another gives up, and its
// socket with it.

#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "echo/base/socket_address.h"
#include "echo/base/unique_fd.h"
#include "echo/control/control_error.h"
#include "echo/control/echo_mode.h"
#include "echo/control/listener_control.h"
#include "echo/control/listener_settings.h"
#include "echo/control/reply.h"
#include "echo/net/listen_socket.h"
#include "echo/server/echo_server.h"
#include "echo/testing/test_server.h"
#include "gtest/gtest.h"
#include "tests/support/conversation.h"
#include "tests/support/eventually.h"
#include "tests/support/short_folder.h"
#include "tests/support/tcp_client.h"

namespace echod {
namespace {

namespace fs = std::filesystem;
using testing::Echoes;
using testing::Eventually;
using testing::TcpClient;
using Changes = std::vector<ListenerChange>;
using Infos = std::vector<ListenerInfo>;

class SocketPassingTest : public ::testing::Test {
 protected:
  SocketPassingTest() : server_(Listeners()) {}

  static EchoServerOptions Listeners() {
    EchoServerOptions options = Workers(2);
    options.listeners = {Creation("a"), Creation("b")};
    return options;
  }

  absl::StatusOr<Infos> Change(Changes changes) {
    return TestServer::Await<Infos>([&](Reply<Infos> reply) {
      server_.control().ChangeListeners(std::move(changes), std::move(reply));
    });
  }

  static ListenerUpdate Move(const std::string& id, int port) {
    ListenerUpdate update;
    update.id = id;
    update.port = port;
    return update;
  }
  static ListenerUpdate MoveAway(const std::string& id) {
    ListenerUpdate update = Move(id, 0);
    update.address = "127.0.0.2";
    return update;
  }
  static ListenerCreation CreationOn(const std::string& id, int port) {
    ListenerCreation creation = Creation(id);
    creation.port = port;
    return creation;
  }
  int Port(const std::string& id) { return server_.address(id).port(); }
  Changes Swap() { return {Move("a", Port("b")), Move("b", Port("a"))}; }

  TestServer server_;
};

TEST_F(SocketPassingTest, TwoListenersSwapPortsAndNobodyIsRefused) {
  const SocketAddress first = server_.address("a");
  const SocketAddress second = server_.address("b");
  TcpClient of_a = server_.ConnectTo("a");
  ASSERT_TRUE(Echoes(of_a, "one"));
  std::atomic<bool> stop = false;
  std::atomic<int> echoed = 0;
  std::atomic<int> failed = 0;
  std::vector<std::thread> load;
  for (const SocketAddress& address : {first, second}) {
    load.emplace_back([&, address] {
      while (!stop) {
        std::optional<TcpClient> client = TcpClient::Connect(address);
        if (client.has_value() && Echoes(*client, "new")) {
          ++echoed;
        } else {
          ++failed;
        }
      }
    });
  }
  for (int i = 0; i < 20; ++i) {
    const absl::StatusOr<Infos> swapped = Change(Swap());
    ASSERT_TRUE(swapped.ok()) << swapped.status();
    EXPECT_EQ((*swapped)[0].generation, i + 2);
    EXPECT_EQ(server_.address("a"), i % 2 == 0 ? second : first);
    EXPECT_EQ(server_.address("b"), i % 2 == 0 ? first : second);
    const int before = echoed;
    EXPECT_TRUE(Eventually([&] { return echoed >= before + 4; }));
  }
  stop = true;
  for (std::thread& each : load) each.join();
  EXPECT_EQ(failed, 0);
  EXPECT_TRUE(Echoes(of_a, "still"));
}

TEST_F(SocketPassingTest, ThoseWhoWaitAreServedByTheNewOwner) {
  ASSERT_TRUE(server_.Pause({.id = "a", .paused = true}).ok());
  TcpClient waits = server_.ConnectTo("a");
  ASSERT_TRUE(waits.Send("held\n"));
  ListenerUpdate raw = Move("b", Port("a"));
  raw.settings.Set(&ListenerSettings::mode, EchoMode::kRaw);
  const absl::StatusOr<Infos> moved = Change({raw, MoveAway("a")});
  ASSERT_TRUE(moved.ok()) << moved.status();
  EXPECT_EQ(waits.Read(5), "held\n");
  EXPECT_EQ(server_.control().GetListener("a")->state,
            ListenerInfo::State::kPaused);
  EXPECT_EQ(server_.control().GetListener("b")->active_connections, 1);
}

TEST_F(SocketPassingTest, ANewListenerTakesThePortOfADeletedOne) {
  const int port = Port("a");
  TcpClient of_a = server_.ConnectTo("a");
  ASSERT_TRUE(Echoes(of_a, "one"));
  // In either order.
  for (const Changes& changes :
       {Changes{CreationOn("c", port), ListenerDeletion{.id = "a"}},
        Changes{ListenerDeletion{.id = "c"}, CreationOn("a", port)}}) {
    const absl::StatusOr<Infos> changed = Change(changes);
    ASSERT_TRUE(changed.ok()) << changed.status();
    EXPECT_EQ(server_.control().ListListeners().size(), 2u);
  }
  EXPECT_EQ(Port("a"), port);
  TcpClient of_new = server_.ConnectTo("a");
  EXPECT_TRUE(Echoes(of_new, "one"));
  EXPECT_TRUE(Echoes(of_a, "still"));
  // And it is the only one that holds the port.
  ASSERT_TRUE(server_.Delete({.id = "a"}).ok());
  EXPECT_FALSE(TcpClient::Connect(
                   of_new.local().WithPort(static_cast<std::uint16_t>(port)))
                   .has_value());
}

TEST_F(SocketPassingTest, AChangeThatIsImpossibleLeavesEverySocket) {
  const SocketAddress first = server_.address("a");
  const SocketAddress second = server_.address("b");
  UniqueFd holder;
  Changes changes = Swap();
  changes.emplace_back(CreationOn("taken", HeldPort(holder)));
  EXPECT_EQ(GetErrorDetail(Change(changes).status()).field, "changes[2]");
  {
    const Changes swap = Swap();
    rlimit limit = {};
    ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
    const rlimit none = {.rlim_cur = 3, .rlim_max = limit.rlim_max};
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
    const absl::Status no_descriptor = Change(swap).status();
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
    EXPECT_EQ(no_descriptor.code(), absl::StatusCode::kResourceExhausted);
    EXPECT_EQ(GetErrorDetail(no_descriptor).field, "changes[0]");
  }
  EXPECT_EQ(server_.address("a"), first);
  EXPECT_EQ(server_.address("b"), second);
  TcpClient of_a = server_.ConnectTo("a");
  TcpClient of_b = server_.ConnectTo("b");
  EXPECT_TRUE(Echoes(of_a, "one") && Echoes(of_b, "one"));
}

TEST_F(SocketPassingTest, OneSocketHasOneTaker) {
  const int port = Port("a");
  const absl::Status both =
      Change({CreationOn("c", port), MoveAway("a"), Move("b", port)}).status();
  EXPECT_EQ(GetErrorDetail(both).reason, "ADDRESS_IN_USE");
  EXPECT_EQ(GetErrorDetail(both).field, "changes[2]");
  EXPECT_EQ(Port("a"), port);
}

TEST_F(SocketPassingTest, AnAddressThatOnlyOverlapsIsInUse) {
  ListenerUpdate all = Move("b", Port("a"));
  all.address = "0.0.0.0";
  const absl::Status overlaps = Change({all, MoveAway("a")}).status();
  EXPECT_EQ(GetErrorDetail(overlaps).reason, "ADDRESS_IN_USE");
  EXPECT_EQ(GetErrorDetail(overlaps).field, "changes[0]");
}

TEST_F(SocketPassingTest, AUnixSocketKeepsItsFile) {
  const testing::ShortFolder folder;
  const std::string path = folder.At("s");
  ListenerUpdate local;
  local.id = "a";
  local.address = "unix:" + path;
  ASSERT_TRUE(Change({local}).ok());
  ASSERT_TRUE(server_.Pause({.id = "a", .paused = true}).ok());
  std::optional<TcpClient> waits = TcpClient::ConnectTo(path);
  ASSERT_TRUE(waits.has_value() && waits->Send("held\n"));
  local.id = "b";
  const absl::StatusOr<Infos> passed = Change({MoveAway("a"), local});
  ASSERT_TRUE(passed.ok()) << passed.status();
  EXPECT_EQ(waits->Read(14), "YOU SAID held\n");
  std::optional<TcpClient> client = TcpClient::ConnectTo(path);
  EXPECT_TRUE(client.has_value() && Echoes(*client, "one"));
  ASSERT_TRUE(server_.Delete({.id = "b"}).ok());
  EXPECT_FALSE(fs::exists(path));
}

TEST_F(SocketPassingTest, ADeletedListenerThatPassedItsSocketOnIsGone) {
  ASSERT_TRUE(Change({ListenerDeletion{.id = "a"}, Move("b", Port("a"))}).ok());
  const Infos left = server_.control().ListListeners();
  ASSERT_EQ(left.size(), 1u);
  EXPECT_EQ(left[0].id, "b");
  EXPECT_EQ(GetErrorDetail(server_.control().GetListener("a").status()).reason,
            "LISTENER_NOT_FOUND");
}

TEST(InheritedSocketTest, IsNotDeletedAmongOtherChanges) {
  const ListenSocket held =
      *OpenListenSocket(*SocketAddress::Parse("127.0.0.1:0"), 16);
  EchoServerOptions options;
  options.listeners = {Creation("default")};
  options.inherited.emplace("default",
                            *AdoptListenSocket(UniqueFd(dup(held.fd.get()))));
  TestServer server(std::move(options));
  ListenerCreation same = Creation("new");
  same.port = held.address.port();
  for (const Changes& changes :
       {Changes{ListenerDeletion{.id = "default"}},
        Changes{ListenerDeletion{.id = "default"}, same}}) {
    const absl::StatusOr<Infos> changed =
        TestServer::Await<Infos>([&](Reply<Infos> reply) {
          server.control().ChangeListeners(changes, std::move(reply));
        });
    EXPECT_EQ(GetErrorDetail(changed.status()).reason, "SOCKET_INHERITED");
  }
  TcpClient client = server.Connect();
  EXPECT_TRUE(Echoes(client, "one"));
}

}  // namespace
}  // namespace echod
