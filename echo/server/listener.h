// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_SERVER_LISTENER_H_
#define ECHO_SERVER_LISTENER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "echo/base/clock.h"
#include "echo/base/listen_address.h"
#include "echo/base/socket_address.h"
#include "echo/base/unique_fd.h"
#include "echo/control/listener_control.h"
#include "echo/control/listener_settings.h"
#include "echo/event/event_loop.h"
#include "echo/net/acceptor.h"
#include "echo/net/listen_socket.h"
#include "echo/server/rejection_log.h"
#include "echo/server/retiring_socket.h"
#include "echo/session/listener_handle.h"
#include "echo/session/listener_stats.h"

namespace echod {

// One listener: a name, settings, and the socket that currently accepts for it.
// Main loop only.
//
// A new address takes a new socket and increments the generation. The old
// socket retires (see RetiringSocket), so no connected client is reset.
class Listener {
 public:
  struct Accepted {
    UniqueFd socket;
    SocketAddress remote;
    std::int64_t generation;
  };
  struct Callbacks {
    // Whether the server has room for one more connection.
    absl::AnyInvocable<bool()> has_room;
    // Gets each connection that is within the limits, and counts it as open.
    absl::AnyInvocable<void(Listener&, Accepted)> on_accept;
    // Called after the last on_accept of a turn of the loop.
    absl::AnyInvocable<void()> on_accepted_all;
  };
  // Constant for the listener's life.
  struct Identity {
    std::string id;
    ListenerHandle handle{};
    ListenerInfo::Source source = ListenerInfo::Source::kConfig;
    std::int64_t first_generation = 1;
  };

  // A checked configuration of a listener.
  struct Plan {
    ListenerSettings settings;
    ListenAddress address;     // as configured; port 0: any
    bool new_socket = false;   // the address takes a new one
    bool from_config = false;  // the configuration file says so
    bool paused = false;       // accept nothing
    // Has the socket so far, and gives it up together with this change; null:
    // the socket is a new one.
    Listener* giver = nullptr;
    ListenSocket socket;  // valid once it has been opened
  };

  // Returns the plan of a new listener, or the first error in `creation`.
  // Ignores its id, and opens no socket.
  static absl::StatusOr<Plan> Prepare(const ListenerCreation& creation);

  // Returns OK, or the error that OpenSocket would return, as far as bind can
  // tell. Never listens, so no client notices.
  static absl::Status CheckSocket(const Plan& plan);

  // Opens the new socket, if the plan needs one and has none.
  static absl::Status OpenSocket(Plan& plan);

  // Takes the socket of `plan` from the listener that gives it, if one does,
  // with its queue. That listener has to stop, or get the plan which gives the
  // socket up, before the loop goes on. Cannot fail.
  static void TakeSocket(Plan& plan);

  // Accepts from now on, unless `plan` is paused; its socket must be open.
  // `loop`, `clock` and `group` outlive the listener.
  Listener(EventLoop& loop, Clock& clock, AcceptorGroup& group,
           Identity identity, Plan plan, std::shared_ptr<ListenerStats> stats,
           Callbacks callbacks);
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  const std::string& id() const { return identity_.id; }
  ListenerHandle handle() const { return identity_.handle; }
  const ListenerSettings& settings() const { return settings_; }
  const std::shared_ptr<ListenerStats>& stats() const { return stats_; }
  std::int64_t generation() const { return generation_; }

  // Whether another process keeps the socket. Then the listener cannot give up
  // its address; when it stops, those who wait in the queue are left to the
  // next process.
  bool inherited() const {
    return acceptor_ != nullptr && acceptor_->inherited();
  }

  // Whether Stop has been called.
  bool stopped() const { return acceptor_ == nullptr; }

  // The address on which it accepts; after it has stopped, the configured one.
  ListenAddress bound_address() const;

  ListenerInfo Describe() const;

  // Whether its socket is one that `address` stands for.
  bool AcceptsOn(const ListenAddress& address) const;

  // FAILED_PRECONDITION if another process keeps the socket.
  absl::Status CheckCanClose() const;

  // ABORTED if `etag` is neither empty nor the listener's.
  absl::Status CheckEtag(const std::string& etag) const;

  // Returns the plan for a change, or the first error in it. Changes nothing.
  // Not for a stopped listener.
  absl::StatusOr<Plan> Prepare(const ListenerUpdate& update) const;

  // Whether only retiring sockets of this listener keep `address` from being
  // bound: it will be free when WhenRetired has called back.
  bool IsLeaving(const ListenAddress& address) const;

  // Returns `error`, of CheckSocket or OpenSocket; or, if this listener is in
  // its own way, an error that says so.
  absl::Status ExplainSocketError(absl::Status error, const Plan& plan) const;

  // Returns how the listener would look after `plan`. A port that the kernel
  // has yet to choose is 0.
  ListenerInfo Preview(const Plan& plan) const;

  // The same for one that does not exist.
  static ListenerInfo Preview(const std::string& id, const Plan& plan);

  // Applies `plan`, whose socket is open; cannot fail. Calls `done` when the
  // new address accepts and the old one refuses: immediately, unless a socket
  // has to retire.
  void Apply(Plan plan, absl::AnyInvocable<void()> done);

  // Stops accepting for good, and calls `done` once all its ports refuse:
  // immediately, if they do. If the listener is destroyed first, so is `done`,
  // without being called.
  void Stop(absl::AnyInvocable<void()> done);

  // Calls `done` when no retiring socket is left on `port`, or on any port.
  // `done` must not destroy the listener, and is destroyed with it.
  void WhenRetired(std::optional<int> port, absl::AnyInvocable<void()> done);

  // Whether connected clients were reset, or would be if the listener were
  // destroyed now, because for want of descriptors they could not be accepted.
  bool LosesConnections() const;

  // Limit of sockets that retire at a time; each holds a descriptor.
  static constexpr std::size_t kMostRetiring = 64;

 private:
  struct Waiting {
    std::optional<int> port;
    absl::AnyInvocable<void()> done;
  };

  std::unique_ptr<Acceptor> NewAcceptor(ListenSocket socket);
  void OnAccept(UniqueFd socket, const SocketAddress& remote,
                std::int64_t generation);
  void Retire(std::unique_ptr<Acceptor> acceptor);
  void OnRetired(const RetiringSocket& retired, bool lost);
  bool Retires(std::optional<int> port) const;
  void SetPaused(bool paused);
  void MarkChanged();

  // Constant after construction.
  EventLoop& loop_;
  Clock& clock_;
  AcceptorGroup& group_;
  const Identity identity_;
  const std::shared_ptr<ListenerStats> stats_;
  const std::string etag_base_;
  const absl::Time create_time_;
  Callbacks callbacks_;

  ListenAddress address_;  // as configured
  ListenerSettings settings_;
  std::int64_t generation_;
  std::int64_t revision_ = 1;
  bool paused_;  // a new socket is, too
  absl::Time update_time_;
  ListenerInfo::Source source_;
  std::unique_ptr<Acceptor> acceptor_;  // null once stopped
  std::vector<std::unique_ptr<RetiringSocket>> retiring_;
  std::vector<Waiting> waiting_;  // for sockets that retire
  bool lost_connections_ = false;
  RejectionLog rejections_;
};

}  // namespace echod

#endif  // ECHO_SERVER_LISTENER_H_
