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
  // The maximum number of connections. Lower if they would take more than a
  // quarter of the process's descriptors.
  std::size_t max_connections = 256;
  // At the maximum, a new connection replaces the one that has been without an
  // open stream for the longest time, if that is at least this long.
  absl::Duration idle_before_replaced = absl::Seconds(1);
  // The minimum average interval at which connections are handed to gRPC. Those
  // that arrive faster wait.
  absl::Duration connection_interval = absl::Milliseconds(5);
  AdminRelayOptions relay;
  // Called if the listener's loop fails, after which it serves no connections.
  // The last call on the listener's thread.
  std::function<void()> on_failed = [] {};
};

// Accepts the admin plane's connections, and relays each between its client and
// gRPC, on a thread of its own. Replaces gRPC's listener, which stops accepting
// for good when descriptors run out; and gRPC does not bound the resources of a
// client. See docs/adr/0006 and 0009.
//
// Not thread-safe, except where noted: use it on the thread that created it.
class AdminListener {
 public:
  // Receives the non-blocking socket of each connection for gRPC to serve, on
  // the listener's thread. ClientOfPeer understands the name of its peer.
  using OnConnection = absl::AnyInvocable<void(UniqueFd)>;

  // Listens on `address` (host:port, IPv6 in brackets; port 0: any), or on
  // 0.0.0.0 for [::] on a host without IPv6. A port that is taken is an error
  // and is never shared. Errors are those of SocketAddress::Parse,
  // OpenListenSocket and EventLoop::Create, and RESOURCE_EXHAUSTED if no thread
  // can be started. `counters` and `clock` outlive the listener.
  static absl::StatusOr<std::unique_ptr<AdminListener>> Start(
      absl::string_view address, const AdminListenerOptions& options,
      AdminCounters& counters, Clock& clock, OnConnection on_connection);

  // Stops, and closes all connections immediately.
  ~AdminListener();
  AdminListener(const AdminListener&) = delete;
  AdminListener& operator=(const AdminListener&) = delete;

  // host:port, IPv6 in brackets. Thread-safe.
  const std::string& bound_address() const { return bound_address_; }

  // Closes the port. Returns when no further call to `on_connection` can
  // happen. Connections continue for `time`, and are then closed.
  void StopAccepting(absl::Duration time);

  // After gRPC has closed its connections: gives clients `time` to receive the
  // remaining bytes, then closes the connections and ends the thread. May be
  // called again.
  void Stop(absl::Duration time);

 private:
  AdminListener(const AdminListenerOptions& options, AdminCounters& counters,
                Clock& clock, OnConnection on_connection,
                std::unique_ptr<EventLoop> loop);

  void OnAccept(UniqueFd client, const SocketAddress& address);
  // Whether there is room for one more connection. Closes an idle one if
  // necessary.
  bool MakeRoom();
  // Starts to relay waiting connections, at the permitted rate.
  void AdmitWaiting();
  void Admit(UniqueFd client, const SocketAddress& address);
  // Removes a connection, which ended for `reason`, or normally if there is
  // none.
  void End(std::uint64_t number, std::optional<AdminRejection> reason);
  // Counts the rejection, and logs at most one per second.
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

  // Used by the listener's thread while it runs, otherwise by the owner's.
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
  bool stopping_ = false;      // the loop stops after the last connection
  MonotonicTime next_log_{};   // of a rejection
  std::int64_t unlogged_ = 0;  // rejections since the last line

  std::thread thread_;
};

}  // namespace echod

#endif  // ADMIN_TRANSPORT_ADMIN_LISTENER_H_
