// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_TESTING_SERVER_MODEL_H_
#define ECHO_TESTING_SERVER_MODEL_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "echo/control/connection_fields.h"
#include "echo/control/echo_mode.h"
#include "echo/control/listener_control.h"
#include "echo/control/listener_settings.h"
#include "echo/testing/test_server.h"
#include "tests/support/reserved_port.h"
#include "tests/support/short_folder.h"
#include "tests/support/tcp_client.h"

namespace echod {

// A model of a server's listeners and connections, for tests that compare the
// two. Listeners are at places: first some ports, then the paths of some Unix
// sockets. For one thread.
class Model {
 public:
  static constexpr int kPorts = 6;
  static constexpr int kPlaces = kPorts + 3;

  struct Listener {
    int place = 0;
    ListenerSettings settings;
    std::int64_t generation = 1;
    std::string etag;
    bool paused = false;
    std::vector<testing::TcpClient>
        waiting;  // in the queue, while it is paused
  };

  struct Connection {
    testing::TcpClient client;
    std::string listener;
    std::int64_t life = 0;  // of the listener; one of the same name is another
    std::int64_t generation = 0;
    EchoMode mode = EchoMode::kLine;
    bool is_unix = false;
    std::int64_t bytes_received = 0;
  };

  // What a filter selects.
  struct Selection {
    std::string listener;  // empty: any
    std::int64_t least_received = 0;
    bool even = false;  // only even numbers

    bool Has(std::uint64_t number, const std::string& of,
             std::int64_t received) const;
    std::shared_ptr<const ConnectionPredicate> AsFilter() const;
  };

  // Ports are reserved, and Unix sockets are in a folder, until the end.
  Model() = default;
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;

  static bool IsUnix(int place) { return place >= kPorts; }
  std::string HostOf(int place) const;  // as in ListenerCreation::address
  int PortOf(int place) const {
    return IsUnix(place) ? 0 : ports_[static_cast<std::size_t>(place)].port();
  }
  std::optional<testing::TcpClient> ConnectTo(int place) const;
  // Those where a socket listens. A port of this process that is none of them
  // counts as its negative.
  std::set<int> ListeningPlaces() const;

  bool IsTaken(int place) const;
  // The connections of a listener.
  std::int64_t OpenOf(const std::string& id) const;
  // Its generations before `now` that have connections.
  std::vector<std::int64_t> EarlierGenerationsOf(const std::string& id,
                                                 std::int64_t now) const;
  std::vector<std::uint64_t> Select(const Selection& selection) const;

  // What the client of a connection sees when the server resets it, with
  // nothing unread: Unix sockets know no reset.
  static testing::TcpClient::End EndByReset(bool is_unix);

  // Expects what each has to see, and changes the model: a client has connected
  // to a listener; the server accepts those who have connected to a paused
  // listener; and a drain ends connections of `id` that are older than
  // `generation`.
  void ExpectAccepted(const std::string& id, const Listener& listener,
                      testing::TcpClient client);
  void ExpectWaitingAccepted(const std::string& id, Listener& listener);
  void ExpectDrained(TestServer& server, const DrainPolicy& drain,
                     const std::string& id, std::int64_t generation);
  // The server ends a connection, or the client does if `end` is unset.
  void ExpectEnd(TestServer& server, std::uint64_t number,
                 std::optional<testing::TcpClient::End> end);

  // Sends, and expects the echo.
  static void ExpectEcho(Connection& connection);

  // Expects that the server and this machine are as the model is.
  void Compare(TestServer& server);

  std::map<std::string, Listener> listeners;
  std::map<std::string, std::int64_t> lives;
  std::map<std::uint64_t, Connection> connections;
  std::int64_t accepted = 0;

 private:
  std::string PathOf(int place) const {
    return folder_.At(std::to_string(place));
  }

  const std::array<testing::ReservedPort, kPorts> ports_{};
  const testing::ShortFolder folder_;
};

}  // namespace echod

#endif  // ECHO_TESTING_SERVER_MODEL_H_
