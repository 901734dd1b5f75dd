// SPDX-License-Identifier: Apache-2.0

#include "admin/server/admin_server.h"

#include <grpc/grpc.h>
#include <grpc/support/time.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>
#include <unistd.h>

#include <algorithm>
#include <mutex>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "admin/transport/admin_listener.h"
#include "echo/base/clock.h"
#include "echo/base/thread_limit.h"
#include "echo/base/unique_fd.h"
#include "src/proto/grpc/health/v1/health.pb.h"

namespace echod {
namespace {

// Requests are small; nobody has to make the server read more.
constexpr int kMostRequestBytes = 64 * 1024;
constexpr int kMostStreamsPerChannel = 256;
// A client may ask every so often whether the connection still lives.
constexpr int kShortestPingIntervalMs = 5'000;
// How long clients may take to read what the calls that ended last have to say.
constexpr absl::Duration kFlushTimeout = absl::Milliseconds(500);

int Milliseconds(absl::Duration duration) {
  return static_cast<int>(absl::ToInt64Milliseconds(duration));
}

// How many threads gRPC starts for itself, by the number of CPUs, and some of
// those that it adds under load. It aborts or waits for ever without the first,
// and does with fewer of the others.
int GrpcThreads() {
  constexpr int kTimersAndExecutors = 4;
  constexpr int kUnderLoad = 4;
  const long cpus = sysconf(_SC_NPROCESSORS_CONF);
  return static_cast<int>(std::clamp(cpus, 2L, 32L) +
                          std::clamp(cpus / 2, 2L, 16L)) +
         kTimersAndExecutors + kUnderLoad;
}

// For every server of the process that is built later.
void PrepareGrpc() {
  static std::once_flag once;
  std::call_once(once, [] {
    // Held for ever. Without it the last server's end would end the library,
    // too, which waits for threads of its own: up to 10 s for one that polls,
    // and for ever for one that the system has refused it. Nobody needs that at
    // exit.
    grpc_init();
    // The health service works without protobuf; this links its descriptor in,
    // without which reflection would name the service and not know it.
    grpc::health::v1::HealthCheckRequest::descriptor();
    grpc::EnableDefaultHealthCheckService(true);
  });
}

}  // namespace

AdminServer::AdminServer(DataPlane data_plane, AdminServerOptions& options,
                         std::unique_ptr<AnswerThread> answers)
    : answers_(std::move(answers)),
      service_(data_plane, counters_, *answers_, std::move(options.description),
               options.page_timeout),
      introspection_({std::string(admin::v1::AdminService::service_full_name()),
                      "grpc.health.v1.Health"}) {}

absl::StatusOr<std::unique_ptr<AdminServer>> AdminServer::Start(
    AdminServerOptions options, DataPlane data_plane) {
  absl::StatusOr<std::unique_ptr<AnswerThread>> answers = AnswerThread::Start();
  if (!answers.ok()) return answers.status();
  if (absl::Status enough = CheckThreads(GrpcThreads()); !enough.ok()) {
    return enough;
  }
  PrepareGrpc();
  auto admin = std::unique_ptr<AdminServer>(
      new AdminServer(data_plane, options, *std::move(answers)));
  grpc::ServerBuilder builder;
  admin->acceptor_ = builder.experimental().AddExternalConnectionAcceptor(
      grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD,
      grpc::InsecureServerCredentials());
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS,
                             kMostStreamsPerChannel);
  builder.AddChannelArgument(
      GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
      kShortestPingIntervalMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS,
                             Milliseconds(options.keepalive_time));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS,
                             Milliseconds(options.keepalive_timeout));
  builder.SetMaxReceiveMessageSize(kMostRequestBytes);
  // gRPC looks at a message's size once it is unpacked, a thousand times
  // larger.
  builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_GZIP, false);
  builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_DEFLATE, false);
  builder.RegisterService(&admin->service_);
  builder.RegisterCallbackGenericService(&admin->introspection_);
  admin->server_ = builder.BuildAndStart();
  if (admin->server_ == nullptr) {
    return absl::InternalError("gRPC cannot start its server");
  }
  admin->SetServing(false);
  absl::StatusOr<std::unique_ptr<AdminListener>> listener =
      AdminListener::Start(
          options.address, options.listener, admin->counters_, SystemClock(),
          [acceptor = admin->acceptor_.get()](UniqueFd socket) {
            grpc::experimental::ExternalConnectionAcceptor::
                NewConnectionParameters connection;
            connection.fd = socket.Release();
            acceptor->HandleNewConnection(&connection);
          });
  if (!listener.ok()) return listener.status();
  admin->listener_ = *std::move(listener);
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
  MutexLock lock(shutdown_mutex_);
  if (shut_down_) return;
  shut_down_ = true;
  if (listener_ != nullptr) listener_->StopAccepting(timeout);
  service_.StopWatches();
  if (server_ != nullptr) {
    server_->Shutdown(
        gpr_time_from_millis(Milliseconds(timeout), GPR_TIMESPAN));
  }
  // gRPC has waited for every RPC, so no answer is owed any more.
  answers_->Stop();
  if (listener_ != nullptr) listener_->Stop(kFlushTimeout);
}

}  // namespace echod
