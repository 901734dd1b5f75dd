// SPDX-License-Identifier: Apache-2.0

#include "echo/server/operator_jobs.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <ctime>
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

OperatorJobs::OperatorJobs(EventLoop& loop, Budget::Now now, CpuTime cpu_time)
    : loop_(loop),
      now_(std::move(now)),
      cpu_time_(std::move(cpu_time)),
      turn_(loop, [this] { RunTurn(); }) {}

MonotonicTime OperatorJobs::PreciseNow() {
  return std::chrono::steady_clock::now();
}

std::chrono::nanoseconds OperatorJobs::ThreadCpuTime() {
  timespec used = {};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return std::chrono::seconds(used.tv_sec) +
         std::chrono::nanoseconds(used.tv_nsec);
}

void OperatorJobs::Add(Job job) { Add({.job = std::move(job), .walk = false}); }

void OperatorJobs::AddWalk(Job job) {
  Add({.job = std::move(job), .walk = true});
}

void OperatorJobs::Add(Added added) {
  {
    const MutexLock lock(mutex_);
    if (stopped_) return;
    const bool wake_up = added_.empty();
    added_.push_back(std::move(added));
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
  std::deque<Added> added;
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
  std::deque<Job> walks;
  walks.swap(walks_);
}

bool OperatorJobs::TakeAdded() {
  const MutexLock lock(mutex_);
  for (std::size_t i = 0; i < kMostTaken && !added_.empty(); ++i) {
    Added& next = added_.front();
    (next.walk ? walks_ : ready_).push_back(std::move(next.job));
    added_.pop_front();
  }
  return added_.empty();
}

WalkPace::Times OperatorJobs::Times() const {
  return {.now = now_(), .cpu = cpu_time_()};
}

void OperatorJobs::RunTurn() {
  const WalkPace::Duration for_walks = pace_.Begin(Times());
  ready_.insert(ready_.end(), std::make_move_iterator(later_.begin()),
                std::make_move_iterator(later_.end()));
  later_.clear();
  const bool all_taken = TakeAdded();
  if (!Run(ready_, Budget(kTurn, kTurnTime, now_))) return;
  if (for_walks > WalkPace::Duration::zero() &&
      !Run(walks_, Budget(kTurn, for_walks, now_))) {
    return;
  }
  pace_.End(Times());
  ArmForNextTurn(all_taken);
}

bool OperatorJobs::Run(std::deque<Job>& jobs, Budget budget) {
  while (!jobs.empty() && !budget.exhausted()) {
    Job job = std::move(jobs.front());
    jobs.pop_front();
    const Progress progress = job(budget);
    if (ended_) return false;
    switch (progress) {
      case Progress::kDone:
        break;
      case Progress::kMore:
        jobs.push_back(std::move(job));
        break;
      case Progress::kLater:
        later_.push_back(std::move(job));
        break;
    }
  }
  return true;
}

void OperatorJobs::ArmForNextTurn(bool all_taken) {
  if (!ready_.empty() || !all_taken) return turn_.Arm(absl::ZeroDuration());
  absl::Duration wait = absl::InfiniteDuration();
  if (!walks_.empty()) wait = absl::FromChrono(pace_.Wait());
  if (!later_.empty()) wait = std::min(wait, kLater);
  if (wait < absl::InfiniteDuration()) turn_.Arm(wait);
}

}  // namespace echod
