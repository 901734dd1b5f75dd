// SPDX-License-Identifier: Apache-2.0

#ifndef ADMIN_SERVER_ADMIN_SERVER_H_
#define ADMIN_SERVER_ADMIN_SERVER_H_

#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <atomic>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "admin/server/health_service.h"
#include "admin/server/introspection_service.h"
#include "admin/service/admin_service.h"
#include "admin/service/answer_thread.h"
#include "admin/transport/admin_counters.h"
#include "admin/transport/admin_listener.h"
#include "admin/transport/health_state.h"
#include "echo/base/mutex.h"
#include "echo/control/data_plane.h"

namespace echod {

struct AdminServerOptions {
  std::string address;  // host:port, IPv6 in brackets; port 0: any
  ServerDescription description;
  AdminListenerOptions listener = {};
  // After this time without traffic, gRPC sends a ping, and closes the
  // connection if the client does not answer within the timeout.
  absl::Duration keepalive_time = absl::Seconds(60);
  absl::Duration keepalive_timeout = absl::Seconds(20);
  // The time for a client to read a page of connections.
  absl::Duration page_timeout = absl::Seconds(20);
};

// The gRPC server of the admin plane, with the admin service, health,
// reflection and channelz, on gRPC's own threads, behind a listener that limits
// the resources of clients. Uses plain text and no credentials; choose its
// address accordingly.
//
// Thread-safe, except for destruction.
class AdminServer {
 public:
  // Starts listening. Health checks answer NOT_SERVING until StartServing. The
  // objects that `data_plane` refers to outlive the server. Returns an error if
  // the address is taken or not available.
  static absl::StatusOr<std::unique_ptr<AdminServer>> Start(
      AdminServerOptions options, DataPlane data_plane);

  // Shuts down immediately, and cuts off RPCs.
  ~AdminServer();
  AdminServer(const AdminServer&) = delete;
  AdminServer& operator=(const AdminServer&) = delete;

  // host:port, IPv6 in brackets.
  const std::string& bound_address() const {
    return listener_->bound_address();
  }

  // The server has started: health checks answer from the data plane's
  // listeners. Calls gRPC, so do not call it on a loop that echoes.
  void StartServing();

  // The following change what health checks answer soon: before the answer to
  // any RPC whose Reply is given after the call. They return immediately, so
  // loops may call them.

  // A drain has begun. See HealthState::SetDraining.
  void SetDraining(bool ready);
  // The data plane has stopped.
  void SetStopped();
  // echod cannot go on. `why` is for people.
  void SetFailed(std::string why);
  // What ReadListeners returns has changed.
  void OnListenersChanged();

  // What health checks answer.
  const HealthState& health() const { return health_; }

  const AdminCounters& counters() const { return counters_; }

  // Ends the streams, then shuts the server down: after `timeout`, unfinished
  // RPCs lose their connections. Blocks until done; may be called again. gRPC
  // may exceed the timeout, and hangs if the system has refused it a thread;
  // see docs/adr/0009.
  void Shutdown(absl::Duration timeout);

 private:
  AdminServer(DataPlane data_plane, AdminServerOptions& options,
              std::unique_ptr<AnswerThread> answers);
  const DataPlane data_plane_;
  AdminCounters counters_;
  HealthState health_;
  HealthService health_service_{health_};
  // A task that reads the listeners has been posted and has not begun.
  std::atomic<bool> reading_listeners_{false};
  const std::unique_ptr<AnswerThread> answers_;
  AdminService service_;  // uses both
  IntrospectionService introspection_;
  // Passes connections to the server.
  std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> acceptor_;
  // Destroyed in reverse order: the listener uses acceptor_, and the server
  // uses the services.
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<AdminListener> listener_;
  Mutex shutdown_mutex_;
  bool shut_down_ ABSL_GUARDED_BY(shutdown_mutex_) = false;
};

}  // namespace echod

#endif  // ADMIN_SERVER_ADMIN_SERVER_H_
