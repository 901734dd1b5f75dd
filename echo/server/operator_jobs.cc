// SPDX-License-Identifier: Apache-2.0

#include "echo/server/operator_jobs.h"

#include <chrono>
#include <cstddef>
#include <iterator>
#include <utility>

#include "absl/time/time.h"

namespace echod {
namespace {

// Where things take longer than they should (a slow machine, a busy one), this
// ends the turn.
constexpr std::chrono::microseconds kTurnTime{500};

// How much work goes by between two looks at the time.
constexpr int kTimeCheckInterval = 512;

// How many jobs a turn takes over from other threads.
constexpr std::size_t kMostTaken = 256;

// After how long a job with nothing to do is asked again.
constexpr absl::Duration kLater = absl::Milliseconds(20);

}  // namespace

void OperatorJobs::Budget::Spend(int cost) {
  work_ -= cost;
  unchecked_ += cost;
  if (unchecked_ < kTimeCheckInterval) return;
  unchecked_ = 0;
  if (now_() >= end_) work_ = 0;
}

OperatorJobs::OperatorJobs(EventLoop& loop, Budget::Now now)
    : loop_(loop), now_(std::move(now)), turn_(loop, [this] { RunTurn(); }) {}

MonotonicTime OperatorJobs::PreciseNow() {
  return std::chrono::steady_clock::now();
}

void OperatorJobs::Add(Job job) {
  {
    const MutexLock lock(mutex_);
    if (stopped_) return;
    const bool wake_up = added_.empty();
    added_.push_back(std::move(job));
    if (!wake_up) return;
  }
  WakeUp();
}

void OperatorJobs::WakeUp() {
  // The timer, since it has one turn however often it is armed.
  loop_.Post([this] { turn_.Arm(absl::ZeroDuration()); });
}

void OperatorJobs::Stop() {
  turn_.Disarm();
  ended_ = true;
  std::deque<Job> added;
  {
    const MutexLock lock(mutex_);
    stopped_ = true;
    added.swap(added_);
  }
  // A job that is destroyed may answer a request, and that may add another job.
  std::deque<Job> ready;
  ready.swap(ready_);
  std::vector<Job> later;
  later.swap(later_);
}

bool OperatorJobs::TakeAdded() {
  const MutexLock lock(mutex_);
  for (std::size_t i = 0; i < kMostTaken && !added_.empty(); ++i) {
    ready_.push_back(std::move(added_.front()));
    added_.pop_front();
  }
  return added_.empty();
}

void OperatorJobs::RunTurn() {
  ready_.insert(ready_.end(), std::make_move_iterator(later_.begin()),
                std::make_move_iterator(later_.end()));
  later_.clear();
  const bool all_taken = TakeAdded();
  Budget budget(kTurn, kTurnTime, now_);
  while (!ready_.empty() && !budget.exhausted()) {
    Job job = std::move(ready_.front());
    ready_.pop_front();
    const Progress progress = job(budget);
    if (ended_) return;
    switch (progress) {
      case Progress::kDone:
        break;
      case Progress::kMore:
        ready_.push_back(std::move(job));
        break;
      case Progress::kLater:
        later_.push_back(std::move(job));
        break;
    }
  }
  if (!ready_.empty() || !all_taken) {
    turn_.Arm(absl::ZeroDuration());
  } else if (!later_.empty()) {
    turn_.Arm(kLater);
  }
}

}  // namespace echod
