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
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "admin/address_to_serve.h"
#include "src/proto/grpc/health/v1/health.pb.h"

namespace echod {
namespace {

// Requests are small; nobody has to make the server read more.
constexpr int kMostRequestBytes = 1024 * 1024;
constexpr int kMostStreamsPerChannel = 256;
// A client may ask every so often whether the connection still lives.
constexpr int kShortestPingIntervalMs = 5'000;

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
  // gRPC says only that it failed, and logs the reason in a form of its own.
  const absl::StatusOr<std::string> address = AddressToServe(options.address);
  if (!address.ok()) return address.status();
  InstallPlugins();
  auto admin = std::unique_ptr<AdminServer>(
      new AdminServer(control, std::move(options.description)));
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort(*address, grpc::InsecureServerCredentials(), &port);
  // On by default, it would let a second server share the port in silence.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS,
                             kMostStreamsPerChannel);
  builder.AddChannelArgument(
      GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
      kShortestPingIntervalMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.SetMaxReceiveMessageSize(kMostRequestBytes);
  builder.RegisterService(&admin->service_);
  admin->server_ = builder.BuildAndStart();
  if (admin->server_ == nullptr || port == 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("cannot serve gRPC on ", *address,
                     "; choose another address with --admin_address"));
  }
  admin->bound_address_ =
      absl::StrCat(address->substr(0, address->rfind(':')), ":", port);
  admin->SetServing(false);
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
  service_.StopWatches();
  server_->Shutdown(absl::ToChronoTime(absl::Now() + timeout));
}

}  // namespace echod
