// SPDX-License-Identifier: Apache-2.0

#ifndef ADMIN_SERVER_ADMIN_SERVER_H_
#define ADMIN_SERVER_ADMIN_SERVER_H_

#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <map>
#include <memory>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "admin/server/introspection_service.h"
#include "admin/service/admin_service.h"
#include "admin/service/answer_thread.h"
#include "admin/transport/admin_counters.h"
#include "admin/transport/admin_listener.h"
#include "echo/base/mutex.h"
#include "echo/control/data_plane.h"

namespace echod {

struct AdminServerOptions {
  std::string address;  // host:port, IPv6 in brackets; port 0: any
  ServerDescription description;
  AdminListenerOptions listener = {};
  // A client that says nothing for so long is asked whether it lives, and has
  // so long to answer.
  absl::Duration keepalive_time = absl::Seconds(60);
  absl::Duration keepalive_timeout = absl::Seconds(20);
  // How long a client may take to read a page of connections.
  absl::Duration page_timeout = absl::Seconds(20);
};

// The admin plane's transport: a gRPC server with the admin service, health,
// reflection and channelz, on threads of gRPC's own, behind a listener that
// bounds what a client costs. In plain text and without
// credentials, so that what may reach it is for its address to say.
//
// Thread-safe, but for being destroyed.
class AdminServer {
 public:
  // Listens. Health is NOT_SERVING until StartServing. What `data_plane` refers
  // to outlives the server. A port that is taken, or an address that cannot be
  // had, is an error that says so.
  static absl::StatusOr<std::unique_ptr<AdminServer>> Start(
      AdminServerOptions options, DataPlane data_plane);

  // Shuts down, with no time for RPCs to end.
  ~AdminServer();
  AdminServer(const AdminServer&) = delete;
  AdminServer& operator=(const AdminServer&) = delete;

  // host:port, IPv6 in brackets.
  const std::string& bound_address() const {
    return listener_->bound_address();
  }

  // Health checks, for "" and for the admin service, answer SERVING from now
  // on. Calls gRPC, so not from a loop that echoes.
  void StartServing() { SetServing(true); }

  // Health checks answer NOT_SERVING soon: before the answer to any RPC whose
  // Reply is given after this call. Returns immediately, so loops may call it.
  void StopServing() {
    answers_->Post([this] { SetServing(false); });
  }

  // Ends the streams, then the server: RPCs have `timeout` to end before their
  // connections are cut. May be called again, and returns when it is done. gRPC
  // may take longer than that, and does not end where the system has refused it
  // a thread; see docs/adr/0009.
  void Shutdown(absl::Duration timeout);

 private:
  AdminServer(DataPlane data_plane, AdminServerOptions& options,
              std::unique_ptr<AnswerThread> answers);
  void SetServing(bool serving);

  AdminCounters counters_;
  const std::unique_ptr<AnswerThread> answers_;
  AdminService service_;  // uses both
  IntrospectionService introspection_;
  // Hands the server its connections.
  std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> acceptor_;
  std::unique_ptr<grpc::Server> server_;     // uses the services; goes before
  std::unique_ptr<AdminListener> listener_;  // uses acceptor_; goes first
  Mutex shutdown_mutex_;
  bool shut_down_ ABSL_GUARDED_BY(shutdown_mutex_) = false;
};

}  // namespace echod

#endif  // ADMIN_SERVER_ADMIN_SERVER_H_
