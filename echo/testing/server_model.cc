// SPDX-License-Identifier: Apache-2.0

#include "echo/testing/server_model.h"

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "echo/base/clock.h"
#include "echo/base/socket_address.h"
#include "echo/control/connection_control.h"
#include "echo/control/connection_info.h"
#include "echo/control/stats.h"
#include "gtest/gtest.h"
#include "tests/support/eventually.h"

namespace echod {
namespace {

using testing::Eventually;
using testing::TcpClient;
using End = TcpClient::End;

// The inodes of this process's sockets. Others may run beside this test.
std::set<std::string> OwnSockets() {
  constexpr absl::string_view kSocket = "socket:[";
  std::set<std::string> inodes;
  for (const auto& entry :
       std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;  // that of this iteration
    const std::string target = std::filesystem::read_symlink(entry, gone);
    if (absl::StartsWith(target, kSocket)) {
      inodes.insert(
          target.substr(kSocket.size(), target.size() - kSocket.size() - 1));
    }
  }
  return inodes;
}

// The rows of a table in /proc/net, as fields.
std::vector<std::vector<std::string>> Rows(const std::string& table) {
  std::vector<std::vector<std::string>> rows;
  std::ifstream file("/proc/net/" + table);
  std::string line;
  std::getline(file, line);  // the header
  while (std::getline(file, line)) {
    rows.push_back(absl::StrSplit(line, ' ', absl::SkipEmpty()));
  }
  return rows;
}

// The ports on which this process listens.
std::set<int> ListeningPorts() {
  constexpr absl::string_view kListen = "0A";
  constexpr std::size_t kLocal = 1;
  constexpr std::size_t kState = 3;
  constexpr std::size_t kInode = 9;
  const std::set<std::string> own = OwnSockets();
  std::set<int> ports;
  for (const std::vector<std::string>& row : Rows("tcp")) {
    if (row.size() <= kInode || row[kState] != kListen ||
        own.count(row[kInode]) == 0) {
      continue;
    }
    const std::string& local = row[kLocal];
    int port = 0;
    if (absl::SimpleHexAtoi(local.substr(local.find(':') + 1), &port)) {
      ports.insert(port);
    }
  }
  return ports;
}

// The paths of the Unix sockets that listen on this machine.
std::set<std::string> ListeningPaths() {
  constexpr absl::string_view kAccepts = "00010000";
  constexpr std::size_t kFlags = 3;
  constexpr std::size_t kPath = 7;
  std::set<std::string> paths;
  for (const std::vector<std::string>& row : Rows("unix")) {
    if (row.size() > kPath && row[kFlags] == kAccepts &&
        std::filesystem::exists(row[kPath])) {
      paths.insert(row[kPath]);
    }
  }
  return paths;
}

class SelectionFilter final : public ConnectionPredicate {
 public:
  explicit SelectionFilter(Model::Selection selection)
      : selection_(std::move(selection)) {}

  bool Matches(const ConnectionFields& connection,
               MonotonicTime /*now*/) const override {
    return selection_.Has(connection.number(), connection.listener_id(),
                          connection.bytes_received());
  }
  int cost() const override { return 3; }

 private:
  const Model::Selection selection_;
};

}  // namespace

bool Model::Selection::Has(std::uint64_t number, const std::string& of,
                           std::int64_t received) const {
  return (listener.empty() || of == listener) && received >= least_received &&
         (!even || number % 2 == 0);
}

std::shared_ptr<const ConnectionPredicate> Model::Selection::AsFilter() const {
  return std::make_shared<SelectionFilter>(*this);
}

std::string Model::HostOf(int place) const {
  if (!IsUnix(place)) return "127.0.0.1";
  return absl::StrCat("unix:", PathOf(place));
}

std::optional<TcpClient> Model::ConnectTo(int place) const {
  if (IsUnix(place)) {
    return TcpClient::ConnectTo(PathOf(place));
  }
  return TcpClient::Connect(*SocketAddress::FromHost(
      "127.0.0.1", static_cast<std::uint16_t>(PortOf(place))));
}

std::set<int> Model::ListeningPlaces() const {
  std::set<int> ports = ListeningPorts();
  const std::set<std::string> paths = ListeningPaths();
  std::set<int> places;
  for (int place = 0; place < kPlaces; ++place) {
    if (IsUnix(place) ? paths.count(PathOf(place)) > 0
                      : ports.erase(PortOf(place)) > 0) {
      places.insert(place);
    }
  }
  for (const int port : ports) places.insert(-port);
  return places;
}

bool Model::IsTaken(int place) const {
  return std::any_of(
      listeners.begin(), listeners.end(),
      [place](const auto& each) { return each.second.place == place; });
}

std::int64_t Model::OpenOf(const std::string& id) const {
  return std::count_if(
      connections.begin(), connections.end(), [&](const auto& each) {
        return each.second.listener == id && each.second.life == lives.at(id);
      });
}

std::vector<std::int64_t> Model::EarlierGenerationsOf(const std::string& id,
                                                      std::int64_t now) const {
  std::set<std::int64_t> earlier;
  for (const auto& [number, each] : connections) {
    if (each.listener == id && each.life == lives.at(id) &&
        each.generation < now) {
      earlier.insert(each.generation);
    }
  }
  return {earlier.begin(), earlier.end()};
}

std::vector<std::uint64_t> Model::Select(const Selection& selection) const {
  std::vector<std::uint64_t> numbers;
  for (const auto& [number, each] : connections) {
    if (selection.Has(number, each.listener, each.bytes_received)) {
      numbers.push_back(number);
    }
  }
  return numbers;
}

End Model::EndByReset(bool is_unix) {
  return is_unix ? End::kEof : End::kReset;
}

void Model::ExpectWaitingAccepted(const std::string& id, Listener& listener) {
  for (TcpClient& client : std::exchange(listener.waiting, {})) {
    ExpectAccepted(id, listener, std::move(client));
  }
}

void Model::ExpectAccepted(const std::string& id, const Listener& listener,
                           TcpClient client) {
  if (listener.settings.max_connections > 0 &&
      OpenOf(id) >= listener.settings.max_connections) {
    EXPECT_EQ(client.WaitForEnd(), EndByReset(IsUnix(listener.place)));
    return;
  }
  connections.emplace(++accepted,
                      Connection{.client = std::move(client),
                                 .listener = id,
                                 .life = lives[id],
                                 .generation = listener.generation,
                                 .mode = listener.settings.mode,
                                 .is_unix = IsUnix(listener.place)});
}

void Model::ExpectDrained(TestServer& server, const DrainPolicy& drain,
                          const std::string& id, std::int64_t generation) {
  if (drain.mode == DrainPolicy::Mode::kKeep) return;
  std::vector<std::uint64_t> drained;
  for (const auto& [number, each] : connections) {
    if (each.listener == id && each.life == lives[id] &&
        each.generation < generation) {
      drained.push_back(number);
    }
  }
  for (const std::uint64_t number : drained) {
    Connection& each = connections.at(number);
    // Who has just connected can still send a request.
    if (drain.mode == DrainPolicy::Mode::kGraceful &&
        each.bytes_received == 0) {
      ExpectEcho(each);
    }
    ExpectEnd(
        server, number,
        drain.mode == DrainPolicy::Mode::kReset ? End::kReset : End::kEof);
  }
}

void Model::ExpectEnd(TestServer& server, std::uint64_t number,
                      std::optional<End> end) {
  const auto found = connections.find(number);
  ASSERT_TRUE(found != connections.end());
  if (end == End::kReset) end = EndByReset(found->second.is_unix);
  if (end.has_value()) {
    EXPECT_EQ(found->second.client.WaitForEnd(), *end);
  }
  connections.erase(found);  // closes the client's side
  EXPECT_TRUE(Eventually([&] {
    return server.Get(number).status().code() == absl::StatusCode::kNotFound;
  }));
}

void Model::ExpectEcho(Connection& connection) {
  constexpr absl::string_view kLine = "hello\n";
  const std::string answer =
      absl::StrCat(connection.mode == EchoMode::kRaw ? "" : "YOU SAID ", kLine);
  ASSERT_TRUE(connection.client.Send(kLine));
  ASSERT_EQ(connection.client.Read(answer.size()), answer);
  connection.bytes_received += static_cast<std::int64_t>(kLine.size());
}

void Model::Compare(TestServer& server) {
  // So that those who have just connected are accepted.
  for (auto& [number, each] : connections) ExpectEcho(each);
  const std::vector<ListenerInfo> infos = server.control().ListListeners();
  ASSERT_EQ(infos.size(), listeners.size());
  std::set<int> places;
  auto model = listeners.begin();
  for (const ListenerInfo& each : infos) {
    const Listener& listener = model->second;
    EXPECT_EQ(each.active_connections, OpenOf(each.id));
    EXPECT_EQ(each.id, model->first);
    EXPECT_EQ(each.address, HostOf(listener.place));
    EXPECT_EQ(each.bound_port, PortOf(listener.place));
    EXPECT_EQ(each.settings, listener.settings);
    EXPECT_EQ(each.generation, listener.generation);
    EXPECT_EQ(each.draining_generations,
              EarlierGenerationsOf(each.id, listener.generation));
    EXPECT_EQ(each.etag, listener.etag);
    EXPECT_EQ(each.state, listener.paused ? ListenerInfo::State::kPaused
                                          : ListenerInfo::State::kActive);
    places.insert(listener.place);
    ++model;
  }
  EXPECT_EQ(ListeningPlaces(), places);
  for (int place = kPorts; place < kPlaces; ++place) {
    EXPECT_EQ(std::filesystem::exists(PathOf(place)), places.count(place) > 0);
  }

  const absl::StatusOr<ConnectionPage> page = server.List({.limit = 1000});
  ASSERT_TRUE(page.ok());
  ASSERT_EQ(page->connections.size(), connections.size());
  auto connection = connections.begin();
  for (const ConnectionInfo& each : page->connections) {
    EXPECT_EQ(each.number, connection->first);
    EXPECT_EQ(each.listener_id, connection->second.listener);
    EXPECT_EQ(each.listener_generation, connection->second.generation);
    EXPECT_EQ(each.bytes_received, connection->second.bytes_received);
    ++connection;
  }
  const Counters total = server.control().GetStats().total;
  EXPECT_EQ(total.accepted, accepted);
  EXPECT_EQ(total.active, std::ssize(connections));
}

}  // namespace echod
