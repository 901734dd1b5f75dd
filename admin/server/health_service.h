// SPDX-License-Identifier: Apache-2.0

#ifndef ADMIN_SERVER_HEALTH_SERVICE_H_
#define ADMIN_SERVER_HEALTH_SERVICE_H_

#include <grpcpp/support/server_callback.h>

#include <memory>
#include <set>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "admin/transport/health_state.h"
#include "echo/base/mutex.h"
#include "src/proto/grpc/health/v1/health.grpc.pb.h"

namespace echod {

class HealthWatch;

// grpc.health.v1.Health, which answers what a HealthState says. gRPC's own
// service keeps each name that it has ever been told; these names have ports
// and the ids of listeners in them, which operators choose, and so would grow
// without bound.
//
// Runs on gRPC's threads. Thread-safe, but for destruction; outlives its
// streams.
class HealthService final : public grpc::health::v1::Health::CallbackService {
 public:
  // `state` outlives the service.
  explicit HealthService(const HealthState& state) : state_(state) {}

  // Sends each open Watch the status that it has now, if it has changed. A
  // status that lasted shorter may never be sent. Call it after each change of
  // the state. Calls gRPC, so do not call it on a loop that echoes.
  void Notify();

  // Ends all streams, and so every stream that is started later.
  void Stop();

  grpc::ServerUnaryReactor* Check(
      grpc::CallbackServerContext* context,
      const grpc::health::v1::HealthCheckRequest* request,
      grpc::health::v1::HealthCheckResponse* response) override;
  grpc::ServerWriteReactor<grpc::health::v1::HealthCheckResponse>* Watch(
      grpc::CallbackServerContext* context,
      const grpc::health::v1::HealthCheckRequest* request) override;

 private:
  friend class HealthWatch;
  std::vector<std::shared_ptr<HealthWatch>> Open();
  void Remove(const std::shared_ptr<HealthWatch>& watch);

  const HealthState& state_;

  Mutex mutex_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::set<std::shared_ptr<HealthWatch>> open_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace echod

#endif  // ADMIN_SERVER_HEALTH_SERVICE_H_
