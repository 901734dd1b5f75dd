// SPDX-License-Identifier: Apache-2.0

// Random sequences of operations on listeners and connections, against a model.
// After each step the answers, the sockets that listen and the connections
// agree with it.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "echo/control/connection_control.h"
#include "echo/control/connection_info.h"
#include "echo/control/control_error.h"
#include "echo/control/echo_mode.h"
#include "echo/control/listener_control.h"
#include "echo/control/listener_settings.h"
#include "echo/control/reply.h"
#include "echo/server/echo_server.h"
#include "echo/testing/server_model.h"
#include "echo/testing/test_server.h"
#include "gtest/gtest.h"
#include "tests/support/tcp_client.h"

namespace echod {
namespace {

using testing::TcpClient;
using End = TcpClient::End;
using Numbers = std::vector<std::uint64_t>;

constexpr std::array<absl::string_view, 4> kIds = {"a", "b", "c", "d"};

class ModelTest : public ::testing::TestWithParam<unsigned> {
 protected:
  ModelTest() : server_(Options()) {}

  EchoServerOptions Options() const {
    EchoServerOptions options = Workers(2);
    options.listeners = {Creation("a")};
    options.listeners[0].port = model_.PortOf(0);
    return options;
  }

  int Random(int below) {
    return std::uniform_int_distribution<int>(0, below - 1)(random_);
  }
  std::string RandomId() {
    return std::string(kIds[static_cast<std::size_t>(Random(kIds.size()))]);
  }
  int RandomPlace() { return Random(Model::kPlaces); }
  DrainPolicy RandomDrain() {
    constexpr std::array<DrainPolicy::Mode, 3> kModes = {
        DrainPolicy::Mode::kKeep, DrainPolicy::Mode::kGraceful,
        DrainPolicy::Mode::kReset};
    return {.mode = kModes[static_cast<std::size_t>(Random(3))],
            .timeout = absl::Hours(1)};
  }
  Model::Selection RandomSelection() {
    return {.listener = Random(2) == 0 ? "" : RandomId(),
            .least_received = Random(3) * 12,
            .even = Random(2) == 0};
  }

  // Whether those who wait are accepted while others end, and it is left open
  // which of them the limit of connections lets in.
  static bool IsUndetermined(const Model::Listener& listener,
                             const DrainPolicy& drain) {
    return !listener.waiting.empty() && listener.settings.max_connections > 0 &&
           drain.mode != DrainPolicy::Mode::kKeep;
  }

  void Create() {
    ListenerCreation creation = Creation(RandomId());
    const int place = RandomPlace();
    creation.address = model_.HostOf(place);
    creation.port = model_.PortOf(place);
    creation.settings.mode = Random(2) == 0 ? EchoMode::kLine : EchoMode::kRaw;
    creation.settings.max_connections = Random(2) == 0 ? 0 : 2;
    creation.validate_only = Random(4) == 0;
    const absl::StatusOr<ListenerInfo> created = server_.Create(creation);
    if (model_.listeners.count(creation.id) > 0) {
      EXPECT_EQ(created.status().code(), absl::StatusCode::kAlreadyExists);
    } else if (model_.IsTaken(place)) {
      EXPECT_EQ(GetErrorDetail(created.status()).reason, "ADDRESS_IN_USE");
    } else if (!created.ok()) {
      ADD_FAILURE() << created.status();
    } else if (!creation.validate_only) {
      ++model_.lives[creation.id];
      model_.listeners[creation.id] = {.place = place,
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
    const int place = RandomPlace();
    update.address = model_.HostOf(place);
    if (!Model::IsUnix(place)) update.port = model_.PortOf(place);
    update.drain = RandomDrain();
    Change(update, place);
  }

  // An update that moves the listener to `place`, if that is set.
  void Change(ListenerUpdate update, std::optional<int> place = std::nullopt) {
    update.validate_only = Random(4) == 0;
    const auto found = model_.listeners.find(update.id);
    if (found != model_.listeners.end() &&
        IsUndetermined(found->second, update.drain)) {
      update.drain = {};
    }
    const bool stale = Random(8) == 0;
    if (stale) {
      update.etag = "stale";
    } else if (found != model_.listeners.end() && Random(2) == 0) {
      update.etag = found->second.etag;
    }
    const absl::StatusOr<ListenerInfo> changed = server_.Update(update);
    if (found == model_.listeners.end()) {
      EXPECT_EQ(changed.status().code(), absl::StatusCode::kNotFound);
      return;
    }
    Model::Listener& model = found->second;
    const bool moves = place.has_value() && *place != model.place;
    if (stale) {
      EXPECT_EQ(changed.status().code(), absl::StatusCode::kAborted);
      return;
    }
    if (moves && model_.IsTaken(*place)) {
      EXPECT_EQ(GetErrorDetail(changed.status()).reason, "ADDRESS_IN_USE");
      return;
    }
    ASSERT_TRUE(changed.ok()) << changed.status();
    if (update.validate_only) return;
    model.settings = update.settings.ApplyTo(model.settings);
    model.etag = changed->etag;
    if (!moves) return;
    model_.ExpectWaitingAccepted(update.id, model);
    model.place = *place;
    ++model.generation;
    model_.ExpectDrained(server_, update.drain, update.id, model.generation);
  }

  void Delete() {
    ListenerDeletion deletion;
    deletion.id = RandomId();
    deletion.drain = RandomDrain();
    deletion.validate_only = Random(4) == 0;
    const auto found = model_.listeners.find(deletion.id);
    if (found != model_.listeners.end() &&
        IsUndetermined(found->second, deletion.drain)) {
      deletion.drain = {};
    }
    const bool stale = Random(4) == 0;
    if (stale) deletion.etag = "stale";
    const absl::StatusOr<ListenerInfo> deleted = server_.Delete(deletion);
    if (found == model_.listeners.end()) {
      EXPECT_EQ(deleted.status().code(), absl::StatusCode::kNotFound);
    } else if (stale) {
      EXPECT_EQ(deleted.status().code(), absl::StatusCode::kAborted);
    } else if (!deleted.ok()) {
      ADD_FAILURE() << deleted.status();
    } else if (!deletion.validate_only) {
      const std::int64_t generation = found->second.generation;
      model_.ExpectWaitingAccepted(deletion.id, found->second);
      model_.listeners.erase(found);
      model_.ExpectDrained(server_, deletion.drain, deletion.id,
                           generation + 1);
    }
  }

  void Connect() {
    const int place = RandomPlace();
    const auto found = std::find_if(
        model_.listeners.begin(), model_.listeners.end(),
        [place](const auto& each) { return each.second.place == place; });
    std::optional<TcpClient> client = model_.ConnectTo(place);
    if (found == model_.listeners.end()) {
      EXPECT_FALSE(client.has_value());
      return;
    }
    ASSERT_TRUE(client.has_value());
    auto& [id, listener] = *found;
    if (listener.paused) {
      listener.waiting.push_back(*std::move(client));
    } else {
      model_.ExpectAccepted(id, listener, *std::move(client));
    }
  }

  void PauseOrResume() {
    ListenerPause pause;
    pause.id = RandomId();
    pause.paused = Random(2) == 0;
    pause.validate_only = Random(4) == 0;
    const auto found = model_.listeners.find(pause.id);
    const absl::StatusOr<ListenerInfo> changed = server_.Pause(pause);
    if (found == model_.listeners.end()) {
      EXPECT_EQ(changed.status().code(), absl::StatusCode::kNotFound);
      return;
    }
    ASSERT_TRUE(changed.ok()) << changed.status();
    EXPECT_EQ(changed->state, pause.paused ? ListenerInfo::State::kPaused
                                           : ListenerInfo::State::kActive);
    if (pause.validate_only) return;
    found->second.paused = pause.paused;
    found->second.etag = changed->etag;
    if (!pause.paused)
      model_.ExpectWaitingAccepted(found->first, found->second);
  }

  // By the client, or by an operator.
  void Close() {
    const std::uint64_t number =
        1 + static_cast<std::uint64_t>(
                Random(static_cast<int>(model_.accepted) + 1));
    const bool open = model_.connections.count(number) > 0;
    const int way = Random(3);
    if (way > 0) {
      const absl::StatusOr<ConnectionInfo> closed = server_.Close(
          number, way == 1 ? CloseMode::kGraceful : CloseMode::kReset);
      ASSERT_EQ(closed.ok(), open);
      if (!closed.ok()) {
        EXPECT_EQ(closed.status().code(), absl::StatusCode::kNotFound);
      }
    }
    if (!open) return;
    constexpr std::optional<End> kEnds[] = {std::nullopt, End::kEof,
                                            End::kReset};
    model_.ExpectEnd(server_, number, kEnds[way]);
  }

  void CloseSelected() {
    const Model::Selection selection = RandomSelection();
    ConnectionClosing closing;
    closing.filter = selection.AsFilter();
    closing.mode = Random(2) == 0 ? CloseMode::kGraceful : CloseMode::kReset;
    closing.validate_only = Random(3) == 0;
    const Numbers selected = model_.Select(selection);
    const absl::StatusOr<ClosedConnections> closed =
        TestServer::Await<ClosedConnections>(
            [&](Reply<ClosedConnections> reply) {
              server_.control().CloseConnections(closing, std::move(reply));
            });
    ASSERT_TRUE(closed.ok()) << closed.status();
    EXPECT_EQ(closed->count, std::ssize(selected));
    Numbers sample;
    for (const ConnectionInfo& each : closed->sample) {
      sample.push_back(each.number);
    }
    std::sort(sample.begin(), sample.end());
    // There are fewer than a sample has.
    if (selected.size() <= ClosedConnections::kMostSampled) {
      EXPECT_EQ(sample, selected);
    }
    if (closing.validate_only) return;
    for (const std::uint64_t number : selected) {
      model_.ExpectEnd(
          server_, number,
          closing.mode == CloseMode::kReset ? End::kReset : End::kEof);
    }
  }

  // Page by page.
  void ListSelected() {
    const Model::Selection selection = RandomSelection();
    ConnectionQuery query;
    query.filter = selection.AsFilter();
    query.limit = 1 + Random(3);
    query.count_matches = true;
    const Numbers selected = model_.Select(selection);
    Numbers listed;
    bool more = true;
    while (more) {
      const absl::StatusOr<ConnectionPage> page = server_.List(query);
      ASSERT_TRUE(page.ok()) << page.status();
      ASSERT_LE(std::ssize(page->connections), query.limit);
      for (const ConnectionInfo& each : page->connections) {
        listed.push_back(each.number);
      }
      if (listed.size() <= page->connections.size()) {
        EXPECT_EQ(page->total, std::ssize(selected));
      }
      more = page->more;
      ASSERT_TRUE(!more || !page->connections.empty());
      query.after = page->last;
      query.count_matches = false;
    }
    EXPECT_EQ(listed, selected);
  }

  std::mt19937 random_{GetParam()};
  Model model_;
  TestServer server_;
};

TEST_P(ModelTest, AgreesWithTheServerAfterEachStep) {
  const absl::StatusOr<ListenerInfo> first = server_.control().GetListener("a");
  ASSERT_TRUE(first.ok());
  model_.lives["a"] = 1;
  model_.listeners["a"] = {.place = 0,
                           .settings = first->settings,
                           .generation = 1,
                           .etag = first->etag};
  constexpr int kSteps = 90;
  for (int step = 0; step < kSteps && !HasFailure(); ++step) {
    const int choice = Random(21);
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
    } else if (choice < 18) {
      PauseOrResume();
    } else if (choice < 20) {
      ListSelected();
    } else {
      CloseSelected();
    }
    if (!HasFatalFailure()) model_.Compare(server_);
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, ModelTest, ::testing::Values(1, 2, 3, 4, 5, 6));

}  // namespace
}  // namespace echod
