// SPDX-License-Identifier: Apache-2.0

// Random sequences of operations on listeners and connections, against a model.
// After each step the answers, the sockets that listen and the connections
// agree with it.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "echo/base/socket_address.h"
#include "echo/control/connection_control.h"
#include "echo/control/connection_info.h"
#include "echo/control/control_error.h"
#include "echo/control/echo_mode.h"
#include "echo/control/listener_control.h"
#include "echo/control/listener_settings.h"
#include "echo/control/stats.h"
#include "echo/server/echo_server.h"
#include "echo/testing/test_server.h"
#include "gtest/gtest.h"
#include "tests/support/eventually.h"
#include "tests/support/tcp_client.h"

namespace echod {
namespace {

using testing::Eventually;
using testing::TcpClient;
using End = TcpClient::End;

constexpr std::array<absl::string_view, 4> kIds = {"a", "b", "c", "d"};
// Below what the kernel chooses for clients. Each test has a network of its
// own.
constexpr int kFirstPort = 20'000;
constexpr int kPorts = 6;

struct ModelListener {
  int port = 0;
  ListenerSettings settings;
  std::int64_t generation = 1;
  std::string etag;
  bool paused = false;
  std::vector<TcpClient> waiting;  // in the queue, since it is paused
};

struct ModelConnection {
  TcpClient client;
  std::string listener;
  std::int64_t life = 0;  // of the listener; one of the same name is another
  std::int64_t generation = 0;
  EchoMode mode = EchoMode::kLine;
};

// The ports of the sockets that listen on this machine.
std::set<int> ListeningPorts() {
  constexpr absl::string_view kListen = "0A";
  std::set<int> ports;
  std::ifstream table("/proc/net/tcp");
  std::string line;
  std::getline(table, line);  // the header
  while (std::getline(table, line)) {
    std::istringstream fields(line);
    std::string slot;
    std::string local;
    std::string remote;
    std::string state;
    fields >> slot >> local >> remote >> state;
    int port = 0;
    if (state == kListen &&
        absl::SimpleHexAtoi(local.substr(local.find(':') + 1), &port)) {
      ports.insert(port);
    }
  }
  return ports;
}

class ModelTest : public ::testing::TestWithParam<unsigned> {
 protected:
  ModelTest() : server_(Options()) {}

  static EchoServerOptions Options() {
    EchoServerOptions options = Workers(2);
    options.listeners = {Creation("a")};
    options.listeners[0].port = kFirstPort;
    return options;
  }

  int Random(int below) {
    return std::uniform_int_distribution<int>(0, below - 1)(random_);
  }
  std::string RandomId() {
    return std::string(kIds[static_cast<std::size_t>(Random(kIds.size()))]);
  }
  int RandomPort() { return kFirstPort + Random(kPorts); }
  DrainPolicy RandomDrain() {
    constexpr std::array<DrainPolicy::Mode, 3> kModes = {
        DrainPolicy::Mode::kKeep, DrainPolicy::Mode::kGraceful,
        DrainPolicy::Mode::kReset};
    return {.mode = kModes[static_cast<std::size_t>(Random(3))],
            .timeout = absl::Hours(1)};
  }

  bool PortIsTaken(int port) const {
    return std::any_of(
        listeners_.begin(), listeners_.end(),
        [port](const auto& each) { return each.second.port == port; });
  }

  std::int64_t OpenOf(const std::string& id) const {
    return std::count_if(connections_.begin(), connections_.end(),
                         [&](const auto& each) {
                           return each.second.listener == id &&
                                  each.second.life == lives_.at(id);
                         });
  }

  std::vector<std::int64_t> EarlierGenerationsOf(const std::string& id,
                                                 std::int64_t now) const {
    std::set<std::int64_t> earlier;
    for (const auto& [number, each] : connections_) {
      if (each.listener == id && each.life == lives_.at(id) &&
          each.generation < now) {
        earlier.insert(each.generation);
      }
    }
    return {earlier.begin(), earlier.end()};
  }

  // The server accepts those who have connected to a paused listener.
  void ExpectWaitingAccepted(const std::string& id, ModelListener& listener) {
    for (TcpClient& client : std::exchange(listener.waiting, {})) {
      ExpectAccepted(id, listener, std::move(client));
    }
  }

  void ExpectAccepted(const std::string& id, const ModelListener& listener,
                      TcpClient client) {
    if (listener.settings.max_connections > 0 &&
        OpenOf(id) >= listener.settings.max_connections) {
      EXPECT_EQ(client.WaitForEnd(), End::kReset);
      return;
    }
    connections_.emplace(++accepted_,
                         ModelConnection{.client = std::move(client),
                                         .listener = id,
                                         .life = lives_[id],
                                         .generation = listener.generation,
                                         .mode = listener.settings.mode});
  }

  // Whether those who wait are accepted while others end, and it is left open
  // which of them the limit of connections lets in.
  static bool IsUndetermined(const ModelListener& listener,
                             const DrainPolicy& drain) {
    return !listener.waiting.empty() && listener.settings.max_connections > 0 &&
           drain.mode != DrainPolicy::Mode::kKeep;
  }

  // The connections that `drain` ends: of `id`, and older than `generation`.
  void ExpectDrained(const DrainPolicy& drain, const std::string& id,
                     std::int64_t generation) {
    for (auto it = connections_.begin(); it != connections_.end();) {
      ModelConnection& each = it->second;
      if (drain.mode == DrainPolicy::Mode::kKeep || each.listener != id ||
          each.life != lives_[id] || each.generation >= generation) {
        ++it;
        continue;
      }
      EXPECT_EQ(
          each.client.WaitForEnd(),
          drain.mode == DrainPolicy::Mode::kReset ? End::kReset : End::kEof);
      const std::uint64_t number = it->first;
      it = connections_.erase(it);  // closes the client's side
      WaitUntilGone(number);
    }
  }

  void WaitUntilGone(std::uint64_t number) {
    EXPECT_TRUE(Eventually([&] {
      return server_.Get(number).status().code() == absl::StatusCode::kNotFound;
    }));
  }

  void Create() {
    ListenerCreation creation = Creation(RandomId());
    creation.port = RandomPort();
    creation.settings.mode = Random(2) == 0 ? EchoMode::kLine : EchoMode::kRaw;
    creation.settings.max_connections = Random(2) == 0 ? 0 : 2;
    creation.validate_only = Random(4) == 0;
    const absl::StatusOr<ListenerInfo> created = server_.Create(creation);
    if (listeners_.count(creation.id) > 0) {
      EXPECT_EQ(created.status().code(), absl::StatusCode::kAlreadyExists);
    } else if (PortIsTaken(creation.port)) {
      EXPECT_EQ(GetErrorDetail(created.status()).reason, "ADDRESS_IN_USE");
    } else if (!created.ok()) {
      ADD_FAILURE() << created.status();
    } else if (!creation.validate_only) {
      ++lives_[creation.id];
      listeners_[creation.id] = {.port = creation.port,
                                 .settings = creation.settings,
                                 .generation = created->generation,
                                 .etag = created->etag};
    }
  }

  void ChangeSettings() {
    ListenerUpdate update;
    update.id = RandomId();
    const std::int64_t most = Random(4);
    update.settings.Set(&ListenerSettings::max_connections, most);
    Change(update);
  }

  void Move() {
    ListenerUpdate update;
    update.id = RandomId();
    update.port = RandomPort();
    update.drain = RandomDrain();
    Change(update);
  }

  void Change(ListenerUpdate update) {
    update.validate_only = Random(4) == 0;
    const auto found = listeners_.find(update.id);
    if (found != listeners_.end() &&
        IsUndetermined(found->second, update.drain)) {
      update.drain = {};
    }
    const bool stale = Random(8) == 0;
    if (stale) {
      update.etag = "stale";
    } else if (found != listeners_.end() && Random(2) == 0) {
      update.etag = found->second.etag;
    }
    const absl::StatusOr<ListenerInfo> changed = server_.Update(update);
    if (found == listeners_.end()) {
      EXPECT_EQ(changed.status().code(), absl::StatusCode::kNotFound);
      return;
    }
    ModelListener& model = found->second;
    const bool moves = update.port.has_value() && *update.port != model.port;
    if (stale) {
      EXPECT_EQ(changed.status().code(), absl::StatusCode::kAborted);
      return;
    }
    if (moves && PortIsTaken(*update.port)) {
      EXPECT_EQ(GetErrorDetail(changed.status()).reason, "ADDRESS_IN_USE");
      return;
    }
    ASSERT_TRUE(changed.ok()) << changed.status();
    if (update.validate_only) return;
    model.settings = update.settings.ApplyTo(model.settings);
    model.etag = changed->etag;
    if (!moves) return;
    model.port = *update.port;
    ExpectWaitingAccepted(update.id, model);
    ++model.generation;
    ExpectDrained(update.drain, update.id, model.generation);
  }

  void Delete() {
    ListenerDeletion deletion;
    deletion.id = RandomId();
    deletion.drain = RandomDrain();
    deletion.validate_only = Random(4) == 0;
    const auto found = listeners_.find(deletion.id);
    if (found != listeners_.end() &&
        IsUndetermined(found->second, deletion.drain)) {
      deletion.drain = {};
    }
    const bool stale = Random(4) == 0;
    if (stale) deletion.etag = "stale";
    const absl::StatusOr<ListenerInfo> deleted = server_.Delete(deletion);
    if (found == listeners_.end()) {
      EXPECT_EQ(deleted.status().code(), absl::StatusCode::kNotFound);
    } else if (stale) {
      EXPECT_EQ(deleted.status().code(), absl::StatusCode::kAborted);
    } else if (!deleted.ok()) {
      ADD_FAILURE() << deleted.status();
    } else if (!deletion.validate_only) {
      const std::int64_t generation = found->second.generation;
      ExpectWaitingAccepted(deletion.id, found->second);
      listeners_.erase(found);
      ExpectDrained(deletion.drain, deletion.id, generation + 1);
    }
  }

  void Connect() {
    const int port = RandomPort();
    const auto found = std::find_if(
        listeners_.begin(), listeners_.end(),
        [port](const auto& each) { return each.second.port == port; });
    std::optional<TcpClient> client =
        TcpClient::Connect(*SocketAddress::FromHost(
            "127.0.0.1", static_cast<std::uint16_t>(port)));
    if (found == listeners_.end()) {
      EXPECT_FALSE(client.has_value());
      return;
    }
    ASSERT_TRUE(client.has_value());
    auto& [id, listener] = *found;
    if (listener.paused) {
      listener.waiting.push_back(*std::move(client));
    } else {
      ExpectAccepted(id, listener, *std::move(client));
    }
  }

  void PauseOrResume() {
    ListenerPause pause;
    pause.id = RandomId();
    pause.paused = Random(2) == 0;
    pause.validate_only = Random(4) == 0;
    const auto found = listeners_.find(pause.id);
    const absl::StatusOr<ListenerInfo> changed = server_.Pause(pause);
    if (found == listeners_.end()) {
      EXPECT_EQ(changed.status().code(), absl::StatusCode::kNotFound);
      return;
    }
    ASSERT_TRUE(changed.ok()) << changed.status();
    EXPECT_EQ(changed->state, StateOf(pause.paused));
    if (pause.validate_only) return;
    found->second.paused = pause.paused;
    found->second.etag = changed->etag;
    if (!pause.paused) ExpectWaitingAccepted(found->first, found->second);
  }

  static ListenerInfo::State StateOf(bool paused) {
    return paused ? ListenerInfo::State::kPaused : ListenerInfo::State::kActive;
  }

  static void ExpectEcho(ModelConnection& connection) {
    const std::string answer =
        connection.mode == EchoMode::kRaw ? "hello\n" : "YOU SAID hello\n";
    ASSERT_TRUE(connection.client.Send("hello\n"));
    EXPECT_EQ(connection.client.Read(answer.size()), answer);
  }

  // By the client, or by an operator.
  void Close() {
    const std::uint64_t number =
        1 + static_cast<std::uint64_t>(Random(static_cast<int>(accepted_) + 1));
    const auto found = connections_.find(number);
    const int way = Random(3);
    if (way > 0) {
      const absl::StatusOr<ConnectionInfo> closed = server_.Close(
          number, way == 1 ? CloseMode::kGraceful : CloseMode::kReset);
      ASSERT_EQ(closed.ok(), found != connections_.end());
      if (!closed.ok()) {
        EXPECT_EQ(closed.status().code(), absl::StatusCode::kNotFound);
        return;
      }
      EXPECT_EQ(found->second.client.WaitForEnd(),
                way == 1 ? End::kEof : End::kReset);
    }
    if (found == connections_.end()) return;
    connections_.erase(found);
    WaitUntilGone(number);
  }

  void Compare() {
    // So that those who have just connected are accepted.
    for (auto& [number, connection] : connections_) ExpectEcho(connection);
    const std::vector<ListenerInfo> listeners =
        server_.control().ListListeners();
    ASSERT_EQ(listeners.size(), listeners_.size());
    std::set<int> ports;
    auto model = listeners_.begin();
    for (const ListenerInfo& each : listeners) {
      EXPECT_EQ(each.active_connections, OpenOf(each.id));
      EXPECT_EQ(each.id, model->first);
      EXPECT_EQ(each.bound_port, model->second.port);
      EXPECT_EQ(each.settings, model->second.settings);
      EXPECT_EQ(each.generation, model->second.generation);
      EXPECT_EQ(each.draining_generations,
                EarlierGenerationsOf(each.id, model->second.generation));
      EXPECT_EQ(each.etag, model->second.etag);
      EXPECT_EQ(each.state, StateOf(model->second.paused));
      ports.insert(model->second.port);
      ++model;
    }
    EXPECT_EQ(ListeningPorts(), ports);

    const absl::StatusOr<ConnectionPage> page = server_.List({.limit = 1000});
    ASSERT_TRUE(page.ok());
    ASSERT_EQ(page->connections.size(), connections_.size());
    auto connection = connections_.begin();
    for (const ConnectionInfo& each : page->connections) {
      EXPECT_EQ(each.number, connection->first);
      EXPECT_EQ(each.listener_id, connection->second.listener);
      EXPECT_EQ(each.listener_generation, connection->second.generation);
      ++connection;
    }
    const Counters total = server_.control().GetStats().total;
    EXPECT_EQ(total.accepted, accepted_);
    EXPECT_EQ(total.active, std::ssize(connections_));
  }

  std::mt19937 random_{GetParam()};
  TestServer server_;
  std::map<std::string, ModelListener> listeners_;
  std::map<std::string, std::int64_t> lives_;
  std::map<std::uint64_t, ModelConnection> connections_;
  std::int64_t accepted_ = 0;
};

TEST_P(ModelTest, AgreesWithTheServerAfterEachStep) {
  const absl::StatusOr<ListenerInfo> first = server_.control().GetListener("a");
  ASSERT_TRUE(first.ok());
  lives_["a"] = 1;
  listeners_["a"] = {.port = kFirstPort,
                     .settings = first->settings,
                     .generation = 1,
                     .etag = first->etag};
  constexpr int kSteps = 80;
  for (int step = 0; step < kSteps && !HasFailure(); ++step) {
    const int choice = Random(18);
    SCOPED_TRACE(absl::StrCat("step ", step, ", choice ", choice));
    if (choice < 3) {
      Create();
    } else if (choice < 4) {
      Delete();
    } else if (choice < 6) {
      ChangeSettings();
    } else if (choice < 8) {
      Move();
    } else if (choice < 14) {
      Connect();
    } else if (choice < 16) {
      Close();
    } else {
      PauseOrResume();
    }
    if (!HasFatalFailure()) Compare();
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, ModelTest, ::testing::Values(1, 2, 3, 4, 5, 6));

}  // namespace
}  // namespace echod
