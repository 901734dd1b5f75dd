#ifndef ADMIN_ADMIN_SERVER_H_
#define ADMIN_ADMIN_SERVER_H_

#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <map>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "admin/admin_listener.h"
#include "admin/admin_service.h"
#include "echo/server_control.h"

namespace echod {

struct AdminServerOptions {
  std::string address;  // host:port, IPv6 in brackets; port 0: any
  ServerDescription description;
};

// The admin plane's transport: a gRPC server with the admin service, health,
// reflection and channelz, on threads of gRPC's own. In plain text and without
// credentials, so that what may reach it is for its address to say.
//
// Thread-safe, but for being destroyed.
class AdminServer {
 public:
  // Listens. Health is NOT_SERVING until SetServing. `control` outlives the
  // server. A port that is taken, or an address that cannot be had, is an error
  // that says so.
  static absl::StatusOr<std::unique_ptr<AdminServer>> Start(
      AdminServerOptions options, ServerControl& control);

  // Shuts down, with no time for RPCs to end.
  ~AdminServer();
  AdminServer(const AdminServer&) = delete;
  AdminServer& operator=(const AdminServer&) = delete;

  // host:port, IPv6 in brackets.
  const std::string& bound_address() const {
    return listener_->bound_address();
  }

  // What health checks answer, for "" and for the admin service.
  void SetServing(bool serving);

  // Ends the streams, then the server: RPCs have `timeout` to end before they
  // are cancelled. May be called again.
  void Shutdown(absl::Duration timeout);

 private:
  AdminServer(ServerControl& control, ServerDescription description)
      : service_(control, std::move(description)) {}

  AdminService service_;
  // Hands the server its connections.
  std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> acceptor_;
  std::unique_ptr<grpc::Server> server_;     // uses service_; goes before it
  std::unique_ptr<AdminListener> listener_;  // uses acceptor_; goes first
};

}  // namespace echod

#endif  // ADMIN_ADMIN_SERVER_H_
