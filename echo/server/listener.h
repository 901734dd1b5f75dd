// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_SERVER_LISTENER_H_
#define ECHO_SERVER_LISTENER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "echo/base/clock.h"
#include "echo/base/socket_address.h"
#include "echo/base/unique_fd.h"
#include "echo/control/listener_control.h"
#include "echo/control/listener_settings.h"
#include "echo/event/event_loop.h"
#include "echo/event/timer.h"
#include "echo/net/acceptor.h"
#include "echo/session/listener_stats.h"

namespace echod {

// One listener: a name, settings, and the socket that accepts for it at
// present. Main loop only.
//
// A new address takes a new socket, and adds one to the generation. The old
// socket retires: it answers no new handshake, gives up what still waits in its
// accept queue, and is closed a moment later. Nobody who was connected is
// reset.
class Listener {
 public:
  struct Accepted {
    UniqueFd socket;
    SocketAddress remote;
    std::int64_t generation;
  };
  struct Callbacks {
    // Whether the server, with all its listeners, has room for one more.
    absl::AnyInvocable<bool()> has_room;
    // Gets each connection that is within the limits, and counts it as open.
    absl::AnyInvocable<void(Listener&, Accepted)> on_accept;
    // Those that could be accepted in this turn of the loop have been.
    absl::AnyInvocable<void()> on_accepted_all;
  };

  // Binds and listens. `stats` outlives the listener.
  static absl::StatusOr<std::unique_ptr<Listener>> Open(
      EventLoop& loop, Clock& clock, std::string id,
      const SocketAddress& address, const ListenerSettings& settings,
      std::shared_ptr<ListenerStats> stats, Callbacks callbacks);

  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  const std::string& id() const { return id_; }
  const ListenerSettings& settings() const { return settings_; }
  const std::shared_ptr<ListenerStats>& stats() const { return stats_; }
  std::int64_t generation() const { return generation_; }

  // Where it accepts; the address it was given, once it has stopped.
  SocketAddress bound_address() const;

  ListenerInfo Describe() const;

  // The settings and the address that `update` would make of this listener, or
  // what is wrong with it. Changes nothing.
  struct Plan {
    ListenerSettings settings;
    SocketAddress address;    // as configured; port 0: any
    bool new_socket = false;  // the address takes a new one
    ListenSocket socket;      // valid once it has been opened
  };
  absl::StatusOr<Plan> Prepare(const ListenerUpdate& update) const;

  // OK, or why OpenSocket would fail, as far as can be told without listening:
  // nobody notices.
  absl::Status CheckSocket(const Plan& plan) const;

  // Opens the new socket, where the plan takes one. Cuts the retirement of an
  // old socket short where that, and nobody else, is in the way.
  absl::Status OpenSocket(Plan& plan);

  // How the listener would look with `plan` carried out. A port that the kernel
  // has yet to choose is 0.
  ListenerInfo Preview(const Plan& plan) const;

  // Carries out `plan`, whose socket is open; it cannot fail. `done` is called
  // when the new address accepts and the old one refuses: at once, unless a
  // socket has to retire.
  void Apply(Plan plan, absl::AnyInvocable<void()> done);

  // Stops accepting for good, and calls `done` once the port refuses.
  void Stop(absl::AnyInvocable<void()> done);

  // How long a socket that retires goes on accepting, for clients whose
  // handshake was under way: their last ACK is a round trip behind.
  static constexpr absl::Duration kHandshakeGrace = absl::Milliseconds(100);

  // Whether somebody who had connected was reset, or will be when the listener
  // is destroyed now: for want of descriptors it could not be accepted.
  bool LosesSomebody() const;

 private:
  struct Retiring {
    std::unique_ptr<Acceptor> acceptor;
    std::unique_ptr<Timer> timer;
    MonotonicTime give_up;  // though somebody still waits
    absl::AnyInvocable<void()> done;
  };

  Listener(EventLoop& loop, Clock& clock, std::string id,
           const SocketAddress& address, const ListenerSettings& settings,
           std::shared_ptr<ListenerStats> stats, Callbacks callbacks);

  std::unique_ptr<Acceptor> NewAcceptor(ListenSocket socket);
  // `error`, or where this listener is in its own way, an error that says so.
  absl::Status OwnPortError(absl::Status error, const Plan& plan) const;
  void OnAccept(UniqueFd socket, const SocketAddress& remote,
                std::int64_t generation);
  void Retire(std::unique_ptr<Acceptor> acceptor,
              absl::AnyInvocable<void()> done);
  void OnRetiringTimer(const Acceptor* acceptor);
  void FinishRetiring(std::vector<Retiring>::iterator which);
  // The sockets that retire and keep `address` from being bound; none, when
  // somebody else does, too.
  std::vector<const Acceptor*> RetiringInTheWayOf(
      const SocketAddress& address) const;
  std::vector<Retiring>::iterator Find(const Acceptor* acceptor);
  void MarkChanged();

  // Constant after construction.
  EventLoop& loop_;
  Clock& clock_;
  const std::string id_;
  const std::shared_ptr<ListenerStats> stats_;
  const std::string etag_base_;
  const absl::Time create_time_;
  Callbacks callbacks_;

  SocketAddress address_;  // as configured
  ListenerSettings settings_;
  std::int64_t generation_ = 1;
  std::int64_t revision_ = 1;
  absl::Time update_time_;
  ListenerInfo::Source source_ = ListenerInfo::Source::kConfig;
  std::unique_ptr<Acceptor> acceptor_;  // null once stopped
  std::vector<Retiring> retiring_;
  bool lost_waiting_ = false;
};

}  // namespace echod

#endif  // ECHO_SERVER_LISTENER_H_
