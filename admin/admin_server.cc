#include "admin/admin_server.h"

#include <grpcpp/ext/channelz_service_plugin.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>

#include <mutex>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/time/clock.h"
#include "admin/admin_listener.h"
#include "src/proto/grpc/health/v1/health.pb.h"

namespace echod {
namespace {

// Requests are small; nobody has to make the server read more.
constexpr int kMostRequestBytes = 1024 * 1024;
constexpr int kMostStreamsPerChannel = 256;
// A client may ask every so often whether the connection still lives.
constexpr int kShortestPingIntervalMs = 5'000;
// Who connects and says nothing keeps a descriptor for no longer than this.
constexpr int kHandshakeTimeoutMs = 10'000;

// gRPC's plugins hold for every server of the process that is built later.
void InstallPlugins() {
  static std::once_flag once;
  std::call_once(once, [] {
    // The health service works without protobuf; this links its descriptor in,
    // without which reflection would name the service and not know it.
    grpc::health::v1::HealthCheckRequest::descriptor();
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    grpc::channelz::experimental::InitChannelzService();
  });
}

}  // namespace

absl::StatusOr<std::unique_ptr<AdminServer>> AdminServer::Start(
    AdminServerOptions options, ServerControl& control) {
  absl::StatusOr<std::unique_ptr<AdminListener>> listener =
      AdminListener::Open(options.address);
  if (!listener.ok()) return listener.status();
  InstallPlugins();
  auto admin = std::unique_ptr<AdminServer>(
      new AdminServer(control, std::move(options.description)));
  grpc::ServerBuilder builder;
  admin->acceptor_ = builder.experimental().AddExternalConnectionAcceptor(
      grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD,
      grpc::InsecureServerCredentials());
  builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS,
                             kHandshakeTimeoutMs);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS,
                             kMostStreamsPerChannel);
  builder.AddChannelArgument(
      GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
      kShortestPingIntervalMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.SetMaxReceiveMessageSize(kMostRequestBytes);
  builder.RegisterService(&admin->service_);
  admin->server_ = builder.BuildAndStart();
  if (admin->server_ == nullptr) {
    return absl::InternalError("gRPC cannot start its server");
  }
  admin->SetServing(false);
  admin->listener_ = *std::move(listener);
  admin->listener_->Start([acceptor = admin->acceptor_.get()](int fd) {
    grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters
        connection;
    connection.fd = fd;
    acceptor->HandleNewConnection(&connection);
  });
  return admin;
}

AdminServer::~AdminServer() { Shutdown(absl::ZeroDuration()); }

void AdminServer::SetServing(bool serving) {
  grpc::HealthCheckServiceInterface* const health =
      server_->GetHealthCheckService();
  health->SetServingStatus(
      std::string(admin::v1::AdminService::service_full_name()), serving);
  health->SetServingStatus("", serving);
}

void AdminServer::Shutdown(absl::Duration timeout) {
  if (server_ == nullptr) return;
  if (listener_ != nullptr) listener_->Stop();
  service_.StopWatches();
  server_->Shutdown(absl::ToChronoTime(absl::Now() + timeout));
}

}  // namespace echod
