// SPDX-License-Identifier: Apache-2.0

#include "admin/server/admin_server.h"

#include <grpc/grpc.h>
#include <grpc/support/time.h>
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

namespace echod {
namespace {

// Requests are small.
constexpr int kMostRequestBytes = 64 * 1024;
constexpr int kMostStreamsPerChannel = 256;
// The minimum interval of keepalive pings from clients.
constexpr int kShortestPingIntervalMs = 5'000;
// The time for clients to read the end of the last RPCs.
constexpr absl::Duration kFlushTimeout = absl::Milliseconds(500);

int Milliseconds(absl::Duration duration) {
  return static_cast<int>(absl::ToInt64Milliseconds(duration));
}

// The number of threads that gRPC starts, depending on the number of CPUs, and
// some of those that it adds under load. It aborts or hangs without the former,
// and copes with fewer of the latter.
int GrpcThreads() {
  constexpr int kTimersAndExecutors = 4;
  constexpr int kUnderLoad = 4;
  const long cpus = sysconf(_SC_NPROCESSORS_CONF);
  return static_cast<int>(std::clamp(cpus, 2L, 32L) +
                          std::clamp(cpus / 2, 2L, 16L)) +
         kTimersAndExecutors + kUnderLoad;
}

// Affects all servers that the process builds later.
void PrepareGrpc() {
  static std::once_flag once;
  std::call_once(once, [] {
    // Never released. Otherwise the shutdown of the last server would shut down
    // the library, too, which waits for its threads: up to 10 s for a polling
    // thread, and forever for one that the system has refused to start.
    grpc_init();
  });
}

}  // namespace

AdminServer::AdminServer(DataPlane data_plane, AdminServerOptions& options,
                         std::unique_ptr<AnswerThread> answers)
    : data_plane_(data_plane),
      answers_(std::move(answers)),
      service_(data_plane, counters_, *answers_, std::move(options.description),
               options.page_timeout),
      introspection_(
          {std::string(admin::v1::AdminService::service_full_name()),
           std::string(grpc::health::v1::Health::service_full_name())}) {}

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
  // gRPC checks a message's size only after decompression, which can enlarge it
  // a thousand times.
  builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_GZIP, false);
  builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_DEFLATE, false);
  builder.RegisterService(&admin->service_);
  builder.RegisterService(&admin->health_service_);
  builder.RegisterCallbackGenericService(&admin->introspection_);
  admin->server_ = builder.BuildAndStart();
  if (admin->server_ == nullptr) {
    return absl::InternalError("gRPC cannot start its server");
  }
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

void AdminServer::StartServing() {
  health_.SetListeners(data_plane_.listeners.ReadListeners());
  health_.SetServing();
  health_service_.Notify();
}

void AdminServer::SetDraining(bool ready) {
  health_.SetDraining(ready);
  answers_->Post([this] { health_service_.Notify(); });
}

void AdminServer::SetStopped() {
  health_.SetStopped();
  answers_->Post([this] { health_service_.Notify(); });
}

void AdminServer::SetFailed(std::string why) {
  health_.SetFailed(std::move(why));
  answers_->Post([this] { health_service_.Notify(); });
}

void AdminServer::OnListenersChanged() {
  if (reading_listeners_.exchange(true)) return;
  answers_->Post([this] {
    reading_listeners_ = false;
    health_.SetListeners(data_plane_.listeners.ReadListeners());
    health_service_.Notify();
  });
}

void AdminServer::Shutdown(absl::Duration timeout) {
  MutexLock lock(shutdown_mutex_);
  if (shut_down_) return;
  shut_down_ = true;
  if (listener_ != nullptr) listener_->StopAccepting(timeout);
  service_.StopWatches();
  health_service_.Stop();
  if (server_ != nullptr) {
    server_->Shutdown(
        gpr_time_from_millis(Milliseconds(timeout), GPR_TIMESPAN));
  }
  // gRPC has waited for all RPCs, so no answer is pending.
  answers_->Stop();
  if (listener_ != nullptr) listener_->Stop(kFlushTimeout);
}

}  // namespace echod
