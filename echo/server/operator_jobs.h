// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_SERVER_OPERATOR_JOBS_H_
#define ECHO_SERVER_OPERATOR_JOBS_H_

#include <chrono>
#include <deque>
#include <functional>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "echo/base/clock.h"
#include "echo/base/mutex.h"
#include "echo/event/event_loop.h"
#include "echo/event/timer.h"
#include "echo/server/walk_pace.h"

namespace echod {

// The operator requests of one loop: lists, sweeps, single requests. Together
// they have one budget per turn of the loop, however many there are; then
// sockets get their turn. Jobs are served round-robin, and begin in the order
// in which they were added.
//
// Walks, which only read, have a budget of their own, which is smaller, and a
// pace: see WalkPace.
class OperatorJobs {
 public:
  // The rest of a turn's budget, in work and in time.
  class Budget {
   public:
    using Now = std::function<MonotonicTime()>;

    Budget(int work, MonotonicTime::duration time, const Now& now)
        : now_(now), work_(work), end_(now() + time) {}
    Budget(const Budget&) = delete;
    Budget& operator=(const Budget&) = delete;

    // Subtracts the cost of what has just been done; see Cost.
    void Spend(int cost);

    // If true, the job must return; it goes on in a later turn.
    bool exhausted() const { return work_ <= 0; }

   private:
    const Now& now_;
    int work_;
    int unchecked_ = 0;  // spent since the last look at the time
    const MonotonicTime end_;
  };

  // The cost of each kind of work: rough figures for a current machine, in
  // sixteenths of a microsecond.
  enum Cost : int {
    kLook = 4,  // at a connection
    kDescribe = 16,
    kDescribeWithTcpInfo = 24,
    kNewSettings = 16,
    kEndConnection = 128,
    kAnswerRequest = 256,  // one that is about one connection
    kAnswerList = 8192,    // with a page that the admin plane translates
    kChangeListeners = 1024,
    kTurn = 8192,
  };

  enum class Progress {
    kDone,
    kMore,   // there is more to do at once
    kLater,  // there is more to do when time has gone by: some 20 ms
  };
  // Does at least one step of its work, and returns when it has exhausted the
  // budget or has nothing to do. Destroyed when it is done.
  using Job = absl::AnyInvocable<Progress(Budget&)>;

  // CPU time that the calling thread has used.
  using CpuTime = std::function<std::chrono::nanoseconds()>;

  // `loop` outlives this. `now` is finer than a Clock, which is coarse.
  explicit OperatorJobs(EventLoop& loop, Budget::Now now = PreciseNow,
                        CpuTime cpu_time = ThreadCpuTime);
  OperatorJobs(const OperatorJobs&) = delete;
  OperatorJobs& operator=(const OperatorJobs&) = delete;

  // Runs `job` on the loop's thread. After Stop, destroys it immediately.
  // Thread-safe.
  void Add(Job job);

  // Like Add, for a job that only reads, and looks at many connections.
  void AddWalk(Job job);

  // Destroys all jobs, and every job that is added later. On the loop's thread,
  // or after the loop has ended.
  void Stop();

 private:
  struct Added {
    Job job;
    bool walk;
  };

  static MonotonicTime PreciseNow();
  static std::chrono::nanoseconds ThreadCpuTime();

  void Add(Added added);
  void WakeUp();
  void RunTurn();
  // Returns false if some of them have to wait for another turn.
  bool TakeAdded();
  // Serves `jobs` round-robin. Returns false once Stop has been called.
  bool Run(std::deque<Job>& jobs, Budget budget);
  void ArmForNextTurn(bool all_taken);
  WalkPace::Times Times() const;

  EventLoop& loop_;
  const Budget::Now now_;
  const CpuTime cpu_time_;

  Mutex mutex_;
  // While it is not empty, the loop has been woken up for it.
  std::deque<Added> added_ ABSL_GUARDED_BY(mutex_);
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;

  // Loop thread only.
  std::deque<Job> ready_;
  std::vector<Job> later_;
  std::deque<Job> walks_;
  WalkPace pace_;
  bool ended_ = false;
  Timer turn_;
};

}  // namespace echod

#endif  // ECHO_SERVER_OPERATOR_JOBS_H_
