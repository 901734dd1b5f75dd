#include "admin/stats_watch.h"

#include <algorithm>

#include "absl/time/clock.h"
#include "admin/proto_conversion.h"

namespace echod {

// One stream. At every moment exactly one thing is under way: a write, the wait
// for the next, or the end. So a reader that is slow gets fewer messages, and
// never a backlog.
class StatsWatch final : public grpc::ServerWriteReactor<admin::v1::Stats> {
 public:
  StatsWatch(StatsWatches& watches, const ServerControl& control,
             absl::Duration interval)
      : watches_(watches), control_(control), interval_(interval) {}

  void Begin() { WriteNext(); }

  // Thread-safe.
  void End(const grpc::Status& status) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (ending_) return;
    ending_ = true;
    end_status_ = status;
    // The wait calls back at once; a write under way does when it is done.
    if (alarm_ != nullptr) alarm_->Cancel();
  }

  void OnWriteDone(bool ok) override {
    if (!ok) End(grpc::Status::CANCELLED);
    {
      std::lock_guard<std::mutex> lock(mutex_);
      if (!ending_) {
        // A new one for each wait: the callback of the last may not have
        // returned yet.
        alarm_ = std::make_unique<grpc::Alarm>();
        alarm_->Set(absl::ToChronoTime(std::max(next_write_, absl::Now())),
                    [this](bool /*expired*/) { OnWaited(); });
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
    // How it has ended is what an operator has been waiting for.
    stats_ = ToProto(control_.GetStats());
    StartWriteAndFinish(&stats_, grpc::WriteOptions(), end_status_);
  }

  void WriteNext() {
    next_write_ = absl::Now() + interval_;
    stats_ = ToProto(control_.GetStats());
    StartWrite(&stats_);
  }

  // Constant after construction.
  StatsWatches& watches_;
  const ServerControl& control_;
  const absl::Duration interval_;

  // Of whatever is under way.
  absl::Time next_write_;
  admin::v1::Stats stats_;

  std::mutex mutex_;
  bool ending_ = false;                 // guarded by mutex_
  grpc::Status end_status_;             // written once, before ending_ is seen
  std::unique_ptr<grpc::Alarm> alarm_;  // guarded by mutex_
};

grpc::ServerWriteReactor<admin::v1::Stats>* StatsWatches::Start(
    const ServerControl& control, absl::Duration interval) {
  auto* const watch = new StatsWatch(*this, control, interval);
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
