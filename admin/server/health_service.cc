// SPDX-License-Identifier: Apache-2.0

#include "admin/server/health_service.h"

#include <grpcpp/server_context.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace echod {
namespace {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;
using Status = HealthCheckResponse::ServingStatus;

// Longer than any name that there is.
constexpr std::size_t kMostNameBytes = 128;

Status StatusOf(const HealthState& state, absl::string_view service) {
  if (service.size() > kMostNameBytes) {
    return HealthCheckResponse::SERVICE_UNKNOWN;
  }
  const std::optional<std::string> problem = state.ProblemOf(service);
  if (!problem.has_value()) return HealthCheckResponse::SERVICE_UNKNOWN;
  return problem->empty() ? HealthCheckResponse::SERVING
                          : HealthCheckResponse::NOT_SERVING;
}

}  // namespace

// One stream. At most one write is pending at any time, so a slow reader misses
// statuses, and never has a queue of them.
class HealthWatch final : public grpc::ServerWriteReactor<HealthCheckResponse>,
                          public std::enable_shared_from_this<HealthWatch> {
 public:
  HealthWatch(HealthService& service, const HealthState& state,
              std::string name)
      : service_(service), state_(state), name_(std::move(name)) {}

  // Sends the status if it is not the one that was sent last.
  void Update() { GoOn(); }

  // Ends the stream; with OK after the status that it has now.
  void End(const grpc::Status& status) {
    {
      const MutexLock lock(mutex_);
      if (!end_.has_value()) end_ = status;
    }
    GoOn();
  }

  void OnWriteDone(bool ok) override {
    {
      const MutexLock lock(mutex_);
      writing_ = false;
      if (!ok && !end_.has_value()) end_ = grpc::Status::CANCELLED;
    }
    GoOn();
  }

  void OnCancel() override { End(grpc::Status::CANCELLED); }
  void OnDone() override { service_.Remove(shared_from_this()); }

 private:
  // Begins the next operation, if none is pending and there is one to begin.
  void GoOn() {
    grpc::Status end;
    {
      const MutexLock lock(mutex_);
      if (writing_ || finished_) return;
      const Status now = StatusOf(state_, name_);
      if (now != sent_ && (!end_.has_value() || end_->ok())) {
        sent_ = now;
        writing_ = true;
        response_.set_status(now);
        StartWrite(&response_);
        return;
      }
      if (!end_.has_value()) return;
      finished_ = true;
      end = *end_;
    }
    Finish(end);
  }

  // Constant after construction.
  HealthService& service_;
  const HealthState& state_;
  const std::string name_;

  HealthCheckResponse response_;  // of the pending write

  Mutex mutex_;
  std::optional<Status> sent_ ABSL_GUARDED_BY(mutex_);
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<grpc::Status> end_ ABSL_GUARDED_BY(mutex_);
};

grpc::ServerUnaryReactor* HealthService::Check(
    grpc::CallbackServerContext* context, const HealthCheckRequest* request,
    HealthCheckResponse* response) {
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  const Status status = StatusOf(state_, request->service());
  if (status == HealthCheckResponse::SERVICE_UNKNOWN) {
    reactor->Finish(grpc::Status(
        grpc::StatusCode::NOT_FOUND,
        "there is no such health service; there are '', 'liveness', "
        "'readiness', 'echod.listener/ID' and 'echod.listener/ID:PORT', with "
        "the id of a listener"));
    return reactor;
  }
  response->set_status(status);
  reactor->Finish(grpc::Status::OK);
  return reactor;
}

grpc::ServerWriteReactor<HealthCheckResponse>* HealthService::Watch(
    grpc::CallbackServerContext* /*context*/,
    const HealthCheckRequest* request) {
  const auto watch =
      std::make_shared<HealthWatch>(*this, state_, request->service());
  bool stopped = false;
  {
    const MutexLock lock(mutex_);
    open_.insert(watch);
    stopped = stopped_;
  }
  watch->Update();
  if (stopped) watch->End(grpc::Status::OK);
  return watch.get();  // gRPC's until OnDone
}

std::vector<std::shared_ptr<HealthWatch>> HealthService::Open() {
  const MutexLock lock(mutex_);
  return {open_.begin(), open_.end()};
}

void HealthService::Notify() {
  for (const auto& watch : Open()) watch->Update();
}

void HealthService::Stop() {
  {
    const MutexLock lock(mutex_);
    stopped_ = true;
  }
  for (const auto& watch : Open()) watch->End(grpc::Status::OK);
}

void HealthService::Remove(const std::shared_ptr<HealthWatch>& watch) {
  const MutexLock lock(mutex_);
  open_.erase(watch);
}

}  // namespace echod
