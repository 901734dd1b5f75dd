// SPDX-License-Identifier: Apache-2.0

#ifndef ADMIN_TRANSPORT_ADMIN_LISTENER_H_
#define ADMIN_TRANSPORT_ADMIN_LISTENER_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "admin/transport/admin_counters.h"
#include "admin/transport/admin_relay.h"
#include "admin/transport/frame_limiter.h"
#include "echo/base/clock.h"
#include "echo/base/socket_address.h"
#include "echo/base/unique_fd.h"
#include "echo/event/event_loop.h"
#include "echo/event/timer.h"
#include "echo/net/acceptor.h"

namespace echod {

struct AdminListenerOptions {
  // No more, and no more than take a quarter of the descriptors that the
  // process may have.
  std::size_t max_connections = 256;
  // When there are that many, a new connection takes the place of the one that
  // has had no stream open for the longest time, if that is so long.
  absl::Duration idle_before_replaced = absl::Seconds(1);
  // Connections are handed to gRPC no faster than one in so long, on average;
  // those that come faster wait.
  absl::Duration connection_interval = absl::Milliseconds(5);
  AdminRelayOptions relay;
  // The system has failed the listener's loop: nobody is served any more. On
  // the listener's thread, last.
  std::function<void()> on_failed = [] {};
};

// Accepts the admin plane's connections, and relays each between its client and
// gRPC, on a thread of its own. gRPC's own listener is not used since it never
// accepts again once descriptors have run out, and nothing in gRPC bounds what
// a client costs: see docs/adr/0006 and 0009.
//
// Belongs to the thread that made it; its own thread shares what is marked so.
class AdminListener {
 public:
  // Gets the socket of each connection that gRPC is to serve, non-blocking, on
  // the listener's thread. Its peer is named as ClientOfPeer understands.
  using OnConnection = absl::AnyInvocable<void(UniqueFd)>;

  // Listens on `address` (host:port, IPv6 in brackets; port 0: any), or on
  // 0.0.0.0 for [::] where this host has no IPv6. A port that is taken is an
  // error, never shared. Errors are those of SocketAddress::Parse,
  // OpenListenSocket and EventLoop::Create, and RESOURCE_EXHAUSTED when there
  // can be no thread. `counters` and `clock` outlive the listener.
  static absl::StatusOr<std::unique_ptr<AdminListener>> Start(
      absl::string_view address, const AdminListenerOptions& options,
      AdminCounters& counters, Clock& clock, OnConnection on_connection);

  // Stops, with no time for the connections to end.
  ~AdminListener();
  AdminListener(const AdminListener&) = delete;
  AdminListener& operator=(const AdminListener&) = delete;

  // host:port, IPv6 in brackets. Thread-safe.
  const std::string& bound_address() const { return bound_address_; }

  // Closes the port, and returns once `on_connection` is called no more. The
  // connections go on for `time`, and are cut then.
  void StopAccepting(absl::Duration time);

  // Gives the connections `time` to pass on what gRPC, which has closed them,
  // has left for their clients; then ends them and the thread. May be called
  // again.
  void Stop(absl::Duration time);

 private:
  AdminListener(const AdminListenerOptions& options, AdminCounters& counters,
                Clock& clock, OnConnection on_connection,
                std::unique_ptr<EventLoop> loop);

  void OnAccept(UniqueFd client, const SocketAddress& address);
  // Whether there can be one connection more, by ending an idle one if need be.
  bool MakeRoom();
  // Begins to relay those that wait, as fast as that may be.
  void AdmitWaiting();
  void Admit(UniqueFd client, const SocketAddress& address);
  // Forgets a connection, which ended for `reason`; none is an ordinary end.
  void End(std::uint64_t number, std::optional<AdminRejection> reason);
  // Counts, and says so, at most once a second.
  void Reject(const SocketAddress& address, AdminRejection reason);
  void CutAll();

  struct Waiting {
    UniqueFd client;
    SocketAddress address;
  };
  struct Connection {
    SocketAddress address;
    std::unique_ptr<AdminRelay> relay;
  };

  // Constant after construction.
  const AdminListenerOptions options_;
  const std::size_t max_connections_;
  AdminCounters& counters_;
  Clock& clock_;
  std::string bound_address_;

  // The listener's thread, while it runs; before and after, the owner's.
  OnConnection on_connection_;
  const std::unique_ptr<EventLoop> loop_;
  std::unique_ptr<Acceptor> acceptor_;
  Timer cut_;
  Timer admit_;
  std::deque<Waiting> waiting_;
  MonotonicTime next_admission_{};
  StreamBudget budget_;
  std::uint64_t last_number_ = 0;
  std::map<std::uint64_t, Connection> connections_;  // by number
  bool stopping_ = false;      // the loop ends with the last connection
  MonotonicTime next_log_{};   // of a rejection
  std::int64_t unlogged_ = 0;  // rejections since the last line

  std::thread thread_;
};

}  // namespace echod

#endif  // ADMIN_TRANSPORT_ADMIN_LISTENER_H_
