// SPDX-License-Identifier: Apache-2.0

#include "echo/control/connection_watch.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "echo/control/close_reason.h"
#include "echo/control/connection_control.h"
#include "echo/control/connection_fields.h"
#include "echo/control/reply.h"
#include "echo/control/session_event.h"
#include "echo/control/session_event_queue.h"
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
using Kind = SessionEvent::Kind;

class OnlyNumber final : public ConnectionPredicate {
 public:
  explicit OnlyNumber(std::uint64_t number) : number_(number) {}
  bool Matches(const ConnectionFields& connection,
               MonotonicTime /*now*/) const override {
    return connection.number() == number_;
  }
  int cost() const override { return 1; }

 private:
  const std::uint64_t number_;
};

std::shared_ptr<ConnectionWatch> Watch(TestServer& server,
                                       ConnectionWatch::Options options = {}) {
  auto watch = std::make_shared<ConnectionWatch>(std::move(options), [] {});
  EXPECT_TRUE(TestServer::Await<WatchBegun>([&](Reply<WatchBegun> reply) {
                server.control().WatchConnections(watch, std::move(reply));
              }).ok());
  return watch;
}

// Takes events until there are as many.
std::vector<SessionEvent> Events(ConnectionWatch& watch, std::size_t count) {
  std::vector<SessionEvent> events;
  EXPECT_TRUE(Eventually([&] {
    SessionEventQueue::Batch batch = watch.Take();
    EXPECT_EQ(batch.missed, 0);
    for (SessionEvent& event : batch.events) events.push_back(std::move(event));
    return events.size() >= count;
  }));
  return events;
}

TEST(ConnectionWatchTest, SeesAConnectionOpenAndClose) {
  TestServer server;
  const auto watch = Watch(server);
  TcpClient client = server.Connect();
  ASSERT_TRUE(Echoes(client, "one"));
  client.FinishSending();
  client.WaitForEnd();
  const std::vector<SessionEvent> events = Events(*watch, 2);
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[0].kind, Kind::kOpened);
  EXPECT_EQ(events[0].connection.bytes_received, 0);
  EXPECT_EQ(events[0].connection.remote_address, client.local());
  EXPECT_EQ(events[0].connection.local_address, server.address());
  EXPECT_EQ(events[1].kind, Kind::kClosed);
  EXPECT_EQ(events[1].reason, CloseReason::kPeerClosed);
  EXPECT_EQ(events[1].connection.number, events[0].connection.number);
  EXPECT_EQ(events[1].connection.bytes_received, 4);
  EXPECT_EQ(events[1].connection.bytes_sent, 13);
  EXPECT_EQ(events[1].connection.listener_id, "default");
}

TEST(ConnectionWatchTest, ShowsPausesIfAsked) {
  TestServer server(Raw());
  const auto all = Watch(server, {.filter = nullptr, .pauses = true});
  const auto few = Watch(server);
  TcpClient client = server.Connect({.receive_buffer = 4096});
  const std::string bytes(64 * 1024 * 1024, 'x');
  const std::size_t sent = SendUntilStuck(server, client, bytes, 1);
  ASSERT_EQ(client.Read(sent).size(), sent);
  client.Reset();
  ASSERT_EQ(Events(*few, 2).size(), 2u);
  const std::vector<SessionEvent> events = Events(*all, 4);
  EXPECT_EQ(events[0].kind, Kind::kOpened);
  EXPECT_EQ(events[1].kind, Kind::kPaused);
  EXPECT_TRUE(events[1].connection.reading_paused);
  EXPECT_EQ(events[2].kind, Kind::kResumed);
  EXPECT_FALSE(events[2].connection.reading_paused);
  EXPECT_EQ(events.back().kind, Kind::kClosed);
}

TEST(ConnectionWatchTest, AFilterSelects) {
  TestServer server;
  const auto watch = Watch(server, {.filter = std::make_shared<OnlyNumber>(2)});
  for (int i = 0; i < 3; ++i) server.Connect().Reset();
  ASSERT_TRUE(Eventually([&] {
    return server.control().GetStats().total.active == 0 &&
           server.control().GetStats().total.accepted == 3;
  }));
  const std::vector<SessionEvent> events = Events(*watch, 2);
  ASSERT_EQ(events.size(), 2u);
  for (const SessionEvent& event : events) {
    EXPECT_EQ(event.connection.number, 2u);
  }
}

TEST(ConnectionWatchTest, IsLetGoOf) {
  TestServer server(Workers(2));
  auto hold = std::make_shared<int>();
  const std::weak_ptr<int> held = hold;
  auto watch = Watch(server, {.hold = std::move(hold)});
  watch->Close();
  server.Connect();
  EXPECT_TRUE(watch->Take().events.empty());
  server.control().StopWatching(watch);
  watch.reset();
  EXPECT_TRUE(Eventually([&] { return held.expired(); }));
}

TEST(ConnectionWatchTest, AfterTheEndItBeginsAndSeesNothing) {
  TestServer server(Workers(2));
  const auto before = Watch(server);
  TcpClient client = server.Connect();
  ASSERT_TRUE(Echoes(client, "one"));
  client.FinishSending();
  server.DrainAndWait({});
  // Everything until the end is there at once.
  EXPECT_EQ(before->Take().events.size(), 2u);
  const auto after = Watch(server);
  EXPECT_TRUE(after->Take().events.empty());
}

// Every event is in a batch or counted, whatever else comes and goes.
TEST(ConnectionWatchTest, CountsExactlyUnderChurn) {
  constexpr int kThreads = 2;
  constexpr int kConnections = 300;
  TestServer server(Workers(3));
  const auto whole = Watch(server);
  std::atomic<bool> done{false};
  std::thread others([&] {
    while (!done) {
      const auto watch = Watch(server, {.pauses = true});
      watch->Take();
      server.control().StopWatching(watch);
    }
  });
  std::vector<std::thread> clients;
  for (int i = 0; i < kThreads; ++i) {
    clients.emplace_back([&] {
      for (int j = 0; j < kConnections; ++j) server.Connect().Reset();
    });
  }
  std::map<std::uint64_t, std::vector<Kind>> seen;
  std::size_t count = 0;
  EXPECT_TRUE(Eventually([&] {
    const SessionEventQueue::Batch batch = whole->Take();
    EXPECT_EQ(batch.missed, 0);
    for (const SessionEvent& event : batch.events) {
      seen[event.connection.number].push_back(event.kind);
      ++count;
    }
    return count >= 2 * kThreads * kConnections;
  }));
  for (std::thread& client : clients) client.join();
  done = true;
  others.join();
  EXPECT_EQ(seen.size(), std::size_t{kThreads * kConnections});
  for (const auto& [number, kinds] : seen) {
    EXPECT_EQ(kinds, (std::vector<Kind>{Kind::kOpened, Kind::kClosed}));
  }
}

}  // namespace
}  // namespace echod
