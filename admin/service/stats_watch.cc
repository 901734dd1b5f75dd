// SPDX-License-Identifier: Apache-2.0

#include "admin/service/stats_watch.h"

#include <grpc/support/time.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <utility>

namespace echod {

// One stream. Exactly one operation is pending at any time: a write, the wait
// for the next one, or the end. So a slow reader gets fewer messages, and never
// a queue of them.
class StatsWatch final : public grpc::ServerWriteReactor<admin::v1::Stats> {
 public:
  StatsWatch(StatsWatches& watches, StatsWatches::ReadStats read_stats,
             absl::Duration interval)
      : watches_(watches),
        read_stats_(std::move(read_stats)),
        interval_(absl::ToChronoNanoseconds(interval)) {}

  void Begin() { WriteNext(); }

  // Thread-safe.
  void End(const grpc::Status& status) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (ending_) return;
    ending_ = true;
    end_status_ = status;
    // A cancelled wait calls back immediately, and a pending write when it is
    // done.
    if (alarm_ != nullptr) alarm_->Cancel();
  }

  void OnWriteDone(bool ok) override {
    if (!ok) End(grpc::Status::CANCELLED);
    {
      std::lock_guard<std::mutex> lock(mutex_);
      if (!ending_) {
        // A new alarm for each wait: the callback of the previous one may not
        // have returned yet.
        alarm_ = std::make_unique<grpc::Alarm>();
        alarm_->Set(UntilNextWrite(), [this](bool /*expired*/) { OnWaited(); });
        return;
      }
    }
    FinishWatch();
  }

  void OnCancel() override { End(grpc::Status::CANCELLED); }

  void OnDone() override {
    watches_.Remove(this);
    delete this;
  }

 private:
  void OnWaited() {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      if (!ending_) {
        WriteNext();
        return;
      }
    }
    FinishWatch();
  }

  void FinishWatch() {
    if (!end_status_.ok()) {
      Finish(end_status_);
      return;
    }
    // The final figures are what an operator has been waiting for.
    stats_ = read_stats_();
    StartWriteAndFinish(&stats_, grpc::WriteOptions(), end_status_);
  }

  void WriteNext() {
    next_write_ = std::chrono::steady_clock::now() + interval_;
    stats_ = read_stats_();
    StartWrite(&stats_);
  }

  // A time span, since a wall-clock deadline is late if the clock is set back.
  gpr_timespec UntilNextWrite() const {
    const std::chrono::nanoseconds wait =
        next_write_ - std::chrono::steady_clock::now();
    return gpr_time_from_nanos(std::max<std::int64_t>(wait.count(), 0),
                               GPR_TIMESPAN);
  }

  // Constant after construction.
  StatsWatches& watches_;
  const StatsWatches::ReadStats read_stats_;
  const std::chrono::nanoseconds interval_;

  // Used by the pending operation only.
  std::chrono::steady_clock::time_point next_write_;
  admin::v1::Stats stats_;

  std::mutex mutex_;
  bool ending_ = false;                 // guarded by mutex_
  grpc::Status end_status_;             // written once, before ending_ is seen
  std::unique_ptr<grpc::Alarm> alarm_;  // guarded by mutex_
};

grpc::ServerWriteReactor<admin::v1::Stats>* StatsWatches::Start(
    ReadStats read_stats, absl::Duration interval) {
  auto* const watch = new StatsWatch(*this, std::move(read_stats), interval);
  {
    std::lock_guard<std::mutex> lock(mutex_);
    open_.insert(watch);
    if (stopped_) watch->End(grpc::Status::OK);
  }
  watch->Begin();
  return watch;
}

void StatsWatches::Stop() {
  std::lock_guard<std::mutex> lock(mutex_);
  stopped_ = true;
  for (StatsWatch* watch : open_) watch->End(grpc::Status::OK);
}

void StatsWatches::Remove(StatsWatch* watch) {
  std::lock_guard<std::mutex> lock(mutex_);
  open_.erase(watch);
}

}  // namespace echod
