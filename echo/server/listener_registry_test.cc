// SPDX-License-Identifier: Apache-2.0

// Listeners that are created and deleted while the server runs.

#include "echo/server/listener_registry.h"

#include <sys/resource.h>

#include <atomic>
#include <cstddef>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "echo/base/unique_fd.h"
#include "echo/control/close_reason.h"
#include "echo/control/control_error.h"
#include "echo/control/listener_control.h"
#include "echo/control/listener_settings.h"
#include "echo/control/reply.h"
#include "echo/control/stats.h"
#include "echo/server/echo_server.h"
#include "echo/testing/test_server.h"
#include "gtest/gtest.h"
#include "tests/support/conversation.h"
#include "tests/support/eventually.h"
#include "tests/support/tcp_client.h"

namespace echod {
namespace {

using testing::Echoes;
using testing::Eventually;
using testing::TcpClient;
using End = TcpClient::End;

ListenerCreation RawCreation(const std::string& id) {
  ListenerCreation creation = Creation(id);
  creation.settings.mode = EchoMode::kRaw;
  return creation;
}

std::string Reason(const absl::Status& status) {
  return GetErrorDetail(status).reason;
}

// Whether the client gets every byte back as it was.
bool EchoesRaw(TcpClient& client, const std::string& bytes) {
  return client.Send(bytes) && client.Read(bytes.size()) == bytes;
}

TEST(ListenerRegistryTest, EachListenerHasItsOwnAddressSettingsAndFigures) {
  TestServer server(Workers(2));
  const absl::StatusOr<ListenerInfo> created =
      server.Create(RawCreation("raw"));
  ASSERT_TRUE(created.ok()) << created.status();
  EXPECT_EQ(created->id, "raw");
  EXPECT_EQ(created->source, ListenerInfo::Source::kRuntime);
  EXPECT_EQ(created->state, ListenerInfo::State::kActive);
  EXPECT_EQ(created->generation, 1);
  EXPECT_NE(created->bound_port, server.address().port());

  TcpClient line = server.Connect();
  EXPECT_TRUE(Echoes(line, "line"));
  std::vector<TcpClient> raw;
  for (int i = 0; i < 4; ++i) {
    raw.push_back(server.ConnectTo("raw"));
    EXPECT_TRUE(EchoesRaw(raw.back(), "raw bytes"));
  }
  const Stats stats = server.control().GetStats();
  EXPECT_EQ(stats.listeners.at("default").accepted, 1);
  EXPECT_EQ(stats.listeners.at("raw").accepted, 4);
  EXPECT_EQ(stats.total.accepted, 5);
  const std::vector<ListenerInfo> all = server.control().ListListeners();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].id, "default");
  EXPECT_EQ(all[0].source, ListenerInfo::Source::kConfig);
  EXPECT_EQ(all[1].active_connections, 4);
}

TEST(ListenerRegistryTest, SaysWhichIdsThereMayBe) {
  TestServer server;
  for (const char* const good : {"a", "a1", "a-b", "x--1"}) {
    EXPECT_TRUE(server.Create(Creation(good)).ok()) << good;
  }
  EXPECT_TRUE(server.Create(Creation(std::string(63, 'a'))).ok());
  for (const std::string& bad :
       {std::string(), std::string("A"), std::string("1a"), std::string("-a"),
        std::string("a-"), std::string("a_b"), std::string("a/b"),
        std::string("\xc3\xa4"), std::string("a\0b", 3),
        std::string(64, 'a')}) {
    const absl::Status status = server.Create(Creation(bad)).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << bad;
    EXPECT_EQ(GetErrorDetail(status).field, "id");
  }
}

TEST(ListenerRegistryTest, AFailedCreationChangesNothing) {
  TestServer server;
  TcpClient client = server.Connect();
  ASSERT_TRUE(Echoes(client, "one"));
  const std::string etag = server.control().GetListener("default")->etag;

  absl::Status status = server.Create(RawCreation("default")).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(Reason(status), "LISTENER_EXISTS");
  ListenerCreation taken = Creation("other");
  taken.port = server.address().port();
  EXPECT_EQ(Reason(server.Create(taken).status()), "ADDRESS_IN_USE");
  ListenerCreation wrong = Creation("other");
  wrong.port = 65536;
  EXPECT_EQ(GetErrorDetail(server.Create(wrong).status()).field, "port");
  wrong = Creation("other");
  wrong.address = "localhost";
  EXPECT_EQ(GetErrorDetail(server.Create(wrong).status()).field, "address");
  wrong = Creation("other");
  wrong.settings.max_line_bytes = -1;
  EXPECT_EQ(GetErrorDetail(server.Create(wrong).status()).field,
            "max_line_bytes");

  EXPECT_EQ(server.control().ListListeners().size(), 1u);
  EXPECT_EQ(server.control().GetListener("default")->etag, etag);
  EXPECT_TRUE(Echoes(client, "two"));
  EXPECT_TRUE(server.Create(Creation("other")).ok());
}

TEST(ListenerRegistryTest, ACreationThatTheSystemRefusesIsResourceExhausted) {
  TestServer server;
  rlimit before = {};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit none = before;
  none.rlim_cur = 3;
  absl::Status refused;
  // On the loop, so that nothing else needs a descriptor meanwhile.
  server.OnMainLoop([&](EchoServer& data_plane) {
    data_plane.CreateListener(
        Creation("other"),
        Reply<ListenerInfo>([&](const absl::StatusOr<ListenerInfo>& answer) {
          refused = answer.status();
        }));
    setrlimit(RLIMIT_NOFILE, &none);
  });
  EXPECT_TRUE(Eventually([&] {
    bool answered = false;
    server.OnMainLoop([&](EchoServer&) { answered = !refused.ok(); });
    return answered;
  }));
  setrlimit(RLIMIT_NOFILE, &before);
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted) << refused;
  EXPECT_TRUE(server.Create(Creation("other")).ok());
}

TEST(ListenerRegistryTest, ValidateOnlyCreatesAndDeletesNothing) {
  TestServer server;
  UniqueFd holder;
  ListenerCreation creation = Creation("other");
  creation.port = HeldPort(holder);
  creation.validate_only = true;
  EXPECT_EQ(Reason(server.Create(creation).status()), "ADDRESS_IN_USE");
  holder.Reset();
  const absl::StatusOr<ListenerInfo> preview = server.Create(creation);
  ASSERT_TRUE(preview.ok()) << preview.status();
  EXPECT_EQ(preview->bound_port, creation.port);
  EXPECT_EQ(Reason(server.control().GetListener("other").status()),
            "LISTENER_NOT_FOUND");
  creation.validate_only = false;
  EXPECT_TRUE(server.Create(creation).ok());

  EXPECT_TRUE(server.Delete({.id = "other", .validate_only = true}).ok());
  EXPECT_EQ(
      Reason(server.Delete({.id = "nobody", .validate_only = true}).status()),
      "LISTENER_NOT_FOUND");
  TcpClient client = server.ConnectTo("other");
  EXPECT_TRUE(Echoes(client, "still here"));
}

TEST(ListenerRegistryTest, OfTwoChangesToOneEtagOnlyOneIsMade) {
  TestServer server;
  const std::string etag = server.Create(Creation("other"))->etag;
  std::atomic<int> made{0};
  std::atomic<int> refused{0};
  const auto note = [&](const absl::StatusOr<ListenerInfo>& answer) {
    ++(answer.ok() ? made : refused);
  };
  for (int i = 0; i < 5; ++i) {
    server.control().DeleteListener({.id = "other", .etag = etag},
                                    Reply<ListenerInfo>(note));
    ListenerUpdate update;
    update.id = "other";
    update.etag = etag;
    update.settings.Set(&ListenerSettings::max_connections, 7);
    server.control().UpdateListener(update, Reply<ListenerInfo>(note));
  }
  EXPECT_TRUE(Eventually([&] { return made + refused == 10; }));
  EXPECT_EQ(made, 1);

  // Another of that name is another.
  ASSERT_TRUE(server.Create(Creation("other")).ok());
  EXPECT_EQ(Reason(server.Delete({.id = "other", .etag = etag}).status()),
            "ETAG_MISMATCH");
}

TEST(ListenerRegistryTest, TheServersLimitCountsConnectionsOfAllListeners) {
  EchoServerOptions options;
  options.max_total_connections = 2;
  TestServer server(std::move(options));
  ASSERT_TRUE(server.Create(Creation("other")).ok());
  TcpClient first = server.Connect();
  TcpClient second = server.ConnectTo("other");
  ASSERT_TRUE(Echoes(first, "one") && Echoes(second, "two"));
  // Also those of a listener that has been deleted.
  ASSERT_TRUE(server.Delete({.id = "other"}).ok());
  EXPECT_EQ(server.Connect().WaitForEnd(), End::kReset);
  second.Reset();
  EXPECT_TRUE(Eventually(
      [&] { return server.control().GetStats().total.active == 1; }));
  TcpClient third = server.Connect();
  EXPECT_TRUE(Echoes(third, "three"));
}

TEST(ListenerRegistryTest, BoundsListenersAndForgetsThoseThatHaveGone) {
  TestServer server(Workers(2));
  // Far more than there may be at a time.
  std::vector<TcpClient> clients;
  const int most = static_cast<int>(ListenerRegistry::kMostListeners);
  std::atomic<int> created{0};
  for (int i = 1; i < most; ++i) {
    server.control().CreateListener(
        Creation("l" + std::to_string(i)),
        Reply<ListenerInfo>([&](const absl::StatusOr<ListenerInfo>& answer) {
          EXPECT_TRUE(answer.ok()) << answer.status();
          ++created;
        }));
  }
  ASSERT_TRUE(Eventually([&] { return created == most - 1; }));
  const absl::Status more = server.Create(Creation("more")).status();
  EXPECT_EQ(more.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(Reason(more), "TOO_MANY_LISTENERS");
  // One whose connection lives on counts, until that has gone.
  TcpClient client = server.ConnectTo("l1");
  ASSERT_TRUE(Echoes(client, "in"));
  ASSERT_TRUE(server.Delete({.id = "l1"}).ok());
  EXPECT_EQ(Reason(server.Create(Creation("more")).status()),
            "TOO_MANY_LISTENERS");
  client.Reset();
  EXPECT_TRUE(Eventually([&] { return server.Create(Creation("more")).ok(); }));
}

TEST(ListenerRegistryTest, TellsOfEachChangeOfAddresses) {
  EchoServerOptions options;
  std::atomic<int> changes{0};
  std::shared_ptr<const void> held;
  options.on_listeners_changed = [&](std::shared_ptr<const void> hold) {
    ++changes;
    held = std::move(hold);
  };
  TestServer server(std::move(options));
  const auto held_up = [&](const auto& request) {
    std::atomic<bool> answered{false};
    const int before = changes;
    request(Reply<ListenerInfo>([&](const absl::StatusOr<ListenerInfo>& info) {
      EXPECT_TRUE(info.ok()) << info.status();
      answered = true;
    }));
    EXPECT_TRUE(Eventually([&] { return changes == before + 1; }));
    bool too_early = false;
    server.OnMainLoop([&](EchoServer&) { too_early = answered; });
    EXPECT_FALSE(too_early);
    server.OnMainLoop([&](EchoServer&) { held.reset(); });
    EXPECT_TRUE(Eventually([&] { return answered.load(); }));
  };
  held_up([&](Reply<ListenerInfo> reply) {
    server.control().CreateListener(Creation("other"), std::move(reply));
  });
  held_up([&](Reply<ListenerInfo> reply) {
    server.control().DeleteListener({.id = "other"}, std::move(reply));
  });
}

TEST(ListenerRegistryTest, TellsWhatAcceptsAndWhatTheConfigurationWants) {
  EchoServerOptions options;
  std::atomic<int> changes{0};
  options.on_accepting_changed = [&] { ++changes; };
  TestServer server(std::move(options));
  const auto now = [&] { return server.control().ReadListeners(); };
  const auto told = [&] { return changes.exchange(0) > 0; };
  const auto change = [&](ListenerChange each) {
    return TestServer::Await<std::vector<ListenerInfo>>(
               [&](Reply<std::vector<ListenerInfo>> reply) {
                 server.control().ChangeListeners({std::move(each)},
                                                  std::move(reply));
               })
        .ok();
  };
  EXPECT_TRUE(told());
  ASSERT_EQ(now().configured.count("default"), 1);
  const ListenerPlace start = now().configured["default"];
  EXPECT_EQ(start.address, now().listeners[0].address);
  EXPECT_EQ(start.port, now().listeners[0].port);

  ASSERT_TRUE(server.Pause({.id = "default"}).ok());
  EXPECT_TRUE(told());
  ASSERT_TRUE(server.Pause({.id = "default", .paused = false}).ok());
  EXPECT_TRUE(told());
  ListenerUpdate update;
  update.id = "default";
  update.address = "127.0.0.2";
  ASSERT_TRUE(server.Update(update).ok());
  EXPECT_TRUE(told());
  EXPECT_EQ(now().listeners[0].address, "127.0.0.2");
  EXPECT_EQ(now().configured["default"].address, start.address);
  // The configuration now wants it where it is.
  ASSERT_TRUE(change(update));
  EXPECT_TRUE(told());
  EXPECT_EQ(now().configured["default"].address, "127.0.0.2");

  // What an operator deletes is still wanted, and what one creates is not.
  ASSERT_TRUE(server.Create(Creation("other")).ok());
  EXPECT_TRUE(told());
  ASSERT_TRUE(server.Delete({.id = "default"}).ok());
  EXPECT_TRUE(told());
  EXPECT_EQ(now().configured.count("default"), 1);
  EXPECT_EQ(now().configured.count("other"), 0);
  ASSERT_TRUE(change(Creation("default")));
  ASSERT_TRUE(change(ListenerDeletion{.id = "default"}));
  EXPECT_TRUE(told());
  EXPECT_EQ(now().configured.count("default"), 0);

  server.DrainAndWait({});
  EXPECT_TRUE(told());
}

TEST(ListenerRegistryTest, NoFigureOfTheTotalsGoesBack) {
  TestServer server(Workers(2));
  std::atomic<bool> stop{false};
  std::thread reader([&] {
    Stats before = server.control().GetStats();
    while (!stop) {
      const Stats now = server.control().GetStats();
      EXPECT_GE(now.total.accepted, before.total.accepted);
      EXPECT_GE(now.total.bytes_received, before.total.bytes_received);
      EXPECT_GE(now.total.lines_echoed, before.total.lines_echoed);
      EXPECT_GE(now.total.rejected_max_connections,
                before.total.rejected_max_connections);
      for (std::size_t i = 0; i < now.total.closed.size(); ++i) {
        EXPECT_GE(now.total.closed[i], before.total.closed[i]);
      }
      for (std::size_t i = 0; i < now.workers.size(); ++i) {
        EXPECT_GE(now.workers[i].accepted, before.workers[i].accepted);
        EXPECT_GE(now.workers[i].bytes_sent, before.workers[i].bytes_sent);
      }
      before = now;
    }
  });
  constexpr int kListeners = 5;
  for (int i = 0; i < kListeners; ++i) {
    ListenerCreation creation = Creation("a");
    creation.settings.max_connections = 2;
    ASSERT_TRUE(server.Create(creation).ok());
    TcpClient first = server.ConnectTo("a");
    TcpClient second = server.ConnectTo("a");
    ASSERT_TRUE(Echoes(first, "one") && Echoes(second, "two"));
    EXPECT_EQ(server.ConnectTo("a").WaitForEnd(), End::kReset);
    ASSERT_TRUE(
        server.Delete({.id = "a", .drain = {.mode = DrainPolicy::Mode::kReset}})
            .ok());
  }
  EXPECT_TRUE(Eventually(
      [&] { return server.control().GetStats().total.active == 0; }));
  stop = true;
  reader.join();
  const Stats stats = server.control().GetStats();
  EXPECT_EQ(stats.total.accepted, 2 * kListeners);
  EXPECT_EQ(stats.total.lines_echoed, 2 * kListeners);
  EXPECT_EQ(stats.total.rejected_max_connections, kListeners);
  EXPECT_EQ(
      stats.total.closed[static_cast<std::size_t>(CloseReason::kAdminReset)],
      2 * kListeners);
  EXPECT_EQ(stats.workers[0].accepted + stats.workers[1].accepted,
            2 * kListeners);
  EXPECT_EQ(stats.listeners.count("a"), 0u);
}

}  // namespace
}  // namespace echod
