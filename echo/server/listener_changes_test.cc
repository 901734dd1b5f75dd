// SPDX-License-Identifier: Apache-2.0

// Several changes to listeners as one.

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "echo/base/socket_address.h"
#include "echo/base/unique_fd.h"
#include "echo/control/control_error.h"
#include "echo/control/listener_control.h"
#include "echo/control/listener_settings.h"
#include "echo/control/reply.h"
#include "echo/server/echo_server.h"
#include "echo/server/listener_registry.h"
#include "echo/testing/test_server.h"
#include "gtest/gtest.h"
#include "tests/support/conversation.h"
#include "tests/support/tcp_client.h"

namespace echod {
namespace {

using testing::Echoes;
using testing::TcpClient;
using Infos = std::vector<ListenerInfo>;

absl::StatusOr<Infos> Change(TestServer& server,
                             std::vector<ListenerChange> changes) {
  return TestServer::Await<Infos>([&](Reply<Infos> reply) {
    server.control().ChangeListeners(std::move(changes), std::move(reply));
  });
}

// What operators see of the listeners, but for their connections.
std::vector<std::string> Seen(TestServer& server) {
  std::vector<std::string> seen;
  for (const ListenerInfo& each : server.control().ListListeners()) {
    seen.push_back(absl::StrCat(each.id, " ", each.bound_address, " ",
                                each.etag, " ", static_cast<int>(each.source)));
  }
  return seen;
}

TEST(ListenerChangesTest, AreMadeTogether) {
  TestServer server(Workers(2));
  ASSERT_TRUE(server.Create(Creation("gone")).ok());
  TcpClient kept = server.Connect();
  TcpClient left = server.ConnectTo("gone");
  ASSERT_TRUE(Echoes(kept, "one") && Echoes(left, "one"));
  const SocketAddress gone = server.address("gone");
  const SocketAddress before = server.address();

  ListenerUpdate update = Update();
  update.port = 0;
  update.address = "127.0.0.2";
  update.settings.Set(&ListenerSettings::max_connections, 7);
  const absl::StatusOr<Infos> changed =
      Change(server, {Creation("new"), update, ListenerDeletion{.id = "gone"}});
  ASSERT_TRUE(changed.ok()) << changed.status();
  ASSERT_EQ(changed->size(), 3u);
  EXPECT_EQ((*changed)[0].id, "new");
  EXPECT_EQ((*changed)[0].source, ListenerInfo::Source::kConfig);
  EXPECT_EQ((*changed)[1].settings.max_connections, 7);
  EXPECT_EQ((*changed)[1].source, ListenerInfo::Source::kConfig);
  EXPECT_EQ((*changed)[2].id, "gone");
  // Nothing is under way any more.
  EXPECT_FALSE(TcpClient::Connect(gone).has_value());
  EXPECT_FALSE(TcpClient::Connect(before).has_value());
  EXPECT_EQ(server.control().ListListeners().size(), 2u);
  TcpClient moved = server.Connect();
  TcpClient created = server.ConnectTo("new");
  EXPECT_TRUE(Echoes(moved, "one") && Echoes(created, "one"));
  EXPECT_TRUE(Echoes(kept, "one") && Echoes(left, "one"));
}

TEST(ListenerChangesTest, OneThatIsImpossibleLeavesAllAsItWas) {
  TestServer server(Workers(2));
  ASSERT_TRUE(server.Create(Creation("other")).ok());
  const std::vector<std::string> before = Seen(server);
  UniqueFd holder;
  ListenerCreation taken = Creation("taken");
  taken.port = HeldPort(holder);
  ListenerUpdate wrong = Update();
  wrong.settings.Set(&ListenerSettings::backlog, 0);
  ListenerUpdate move = Update();
  move.id = "other";
  move.address = "127.0.0.2";
  struct Case {
    ListenerChange change;
    std::string reason;
  };
  for (const Case& each : std::vector<Case>{
           {taken, "ADDRESS_IN_USE"},
           {wrong, "INVALID_FIELD"},
           {ListenerUpdate{.id = "default", .etag = "stale"}, "ETAG_MISMATCH"},
           {ListenerDeletion{.id = "default", .etag = "stale"},
            "ETAG_MISMATCH"},
           {ListenerDeletion{.id = "nobody"}, "LISTENER_NOT_FOUND"},
           {Creation("new"), "INVALID_FIELD"}}) {
    const absl::StatusOr<Infos> changed =
        Change(server, {Creation("new"), move, each.change});
    EXPECT_EQ(GetErrorDetail(changed.status()).reason, each.reason);
    EXPECT_EQ(GetErrorDetail(changed.status()).field, "changes[2]");
    EXPECT_EQ(Seen(server), before);
  }
}

TEST(ListenerChangesTest, TwoForOnePortAreImpossible) {
  TestServer server;
  const std::vector<std::string> before = Seen(server);
  UniqueFd holder;
  ListenerCreation first = Creation("first");
  first.port = HeldPort(holder);
  ListenerCreation second = first;
  second.id = "second";
  holder = UniqueFd();
  const absl::StatusOr<Infos> changed = Change(server, {first, second});
  EXPECT_EQ(GetErrorDetail(changed.status()).reason, "ADDRESS_IN_USE");
  EXPECT_EQ(GetErrorDetail(changed.status()).field, "changes[1]");
  EXPECT_EQ(Seen(server), before);
  EXPECT_FALSE(TcpClient::Connect(
                   *SocketAddress::FromHost(
                       "127.0.0.1", static_cast<std::uint16_t>(first.port)))
                   .has_value());
}

TEST(ListenerChangesTest, AreCountedTogether) {
  TestServer server;
  std::vector<ListenerChange> changes;
  for (std::size_t i = 0; i < ListenerRegistry::kMostListeners; ++i) {
    changes.emplace_back(Creation(absl::StrCat("l", i)));
  }
  const absl::StatusOr<Infos> too_many = Change(server, changes);
  EXPECT_EQ(GetErrorDetail(too_many.status()).reason, "TOO_MANY_LISTENERS");
  EXPECT_EQ(server.control().ListListeners().size(), 1u);
  const absl::StatusOr<Infos> exists =
      Change(server, {Creation("new"), Creation("default")});
  EXPECT_EQ(GetErrorDetail(exists.status()).reason, "LISTENER_EXISTS");
  changes.pop_back();
  EXPECT_TRUE(Change(server, changes).ok());
  EXPECT_EQ(server.control().ListListeners().size(),
            ListenerRegistry::kMostListeners);
}

TEST(ListenerChangesTest, OneThatChangesNothingOnlyTakesOver) {
  TestServer server;
  ASSERT_TRUE(server.Create(Creation("other")).ok());
  const std::string etag = server.control().GetListener("other")->etag;
  const absl::StatusOr<Infos> changed =
      Change(server, {ListenerUpdate{.id = "other", .etag = etag}});
  ASSERT_TRUE(changed.ok()) << changed.status();
  const absl::StatusOr<ListenerInfo> other =
      server.control().GetListener("other");
  EXPECT_EQ(other->etag, etag);
  EXPECT_EQ(other->source, ListenerInfo::Source::kConfig);
  EXPECT_TRUE(Change(server, {}).ok());
}

TEST(ListenerChangesTest, PauseAndResume) {
  TestServer server;
  ListenerCreation paused = Creation("new");
  paused.paused = true;
  ListenerUpdate pause = Update();
  pause.paused = true;
  pause.settings.Set(&ListenerSettings::max_connections, 7);
  ASSERT_TRUE(Change(server, {paused, pause}).ok());
  std::vector<TcpClient> waiting;
  for (const std::string id : {"default", "new"}) {
    EXPECT_EQ(server.control().GetListener(id)->state,
              ListenerInfo::State::kPaused);
    waiting.push_back(server.ConnectTo(id));
    ASSERT_TRUE(waiting.back().Send("held\n"));
  }
  // A change that does not say leaves it so.
  ListenerUpdate silent = Update();
  silent.settings.Set(&ListenerSettings::max_connections, 8);
  ASSERT_TRUE(Change(server, {silent}).ok());
  EXPECT_EQ(server.control().GetListener("default")->state,
            ListenerInfo::State::kPaused);
  EXPECT_EQ(server.control().GetStats().total.accepted, 0);

  ListenerUpdate resume = Update();
  resume.paused = false;
  ListenerUpdate resume_new = resume;
  resume_new.id = "new";
  const absl::StatusOr<Infos> resumed = Change(server, {resume, resume_new});
  ASSERT_TRUE(resumed.ok()) << resumed.status();
  EXPECT_EQ((*resumed)[0].state, ListenerInfo::State::kActive);
  for (TcpClient& each : waiting) EXPECT_EQ(each.Read(14), "YOU SAID held\n");
}

TEST(ListenerChangesTest, AreRefusedWhileTheServerDrains) {
  TestServer server;
  TcpClient client = server.Connect();
  ASSERT_TRUE(Echoes(client, "one"));
  server.OnMainLoop([](EchoServer& it) { it.BeginDrain({}); });
  EXPECT_EQ(GetErrorDetail(Change(server, {Creation("new")}).status()).reason,
            "SERVER_DRAINING");
}

}  // namespace
}  // namespace echod
