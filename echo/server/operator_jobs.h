// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_SERVER_OPERATOR_JOBS_H_
#define ECHO_SERVER_OPERATOR_JOBS_H_

#include <deque>
#include <functional>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "echo/base/clock.h"
#include "echo/base/mutex.h"
#include "echo/event/event_loop.h"
#include "echo/event/timer.h"

namespace echod {

// What operators have asked of one loop: lists, sweeps, single requests. All of
// them together have one budget for each turn of the loop, however many there
// are; then sockets get their turn. Within it they are served round-robin, and
// begin in the order in which they were added.
class OperatorJobs {
 public:
  // What a turn may still do, in work and in time.
  class Budget {
   public:
    using Now = std::function<MonotonicTime()>;

    Budget(int work, MonotonicTime::duration time, const Now& now)
        : now_(now), work_(work), end_(now() + time) {}
    Budget(const Budget&) = delete;
    Budget& operator=(const Budget&) = delete;

    // Takes off the cost of what has just been done; see Cost.
    void Spend(int cost);

    // The job is to return, and goes on in a later turn.
    bool exhausted() const { return work_ <= 0; }

   private:
    const Now& now_;
    int work_;
    int unchecked_ = 0;  // spent since the last look at the time
    const MonotonicTime end_;
  };

  // What things cost: rough figures for a machine of today, in sixteenths of a
  // microsecond.
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
  // Does a part of its work, at least one step, and returns when it has
  // exhausted the budget or has nothing to do. Destroyed when it is done.
  using Job = absl::AnyInvocable<Progress(Budget&)>;

  // `loop` outlives this. `now` is finer than a Clock, which is coarse.
  explicit OperatorJobs(EventLoop& loop, Budget::Now now = PreciseNow);
  OperatorJobs(const OperatorJobs&) = delete;
  OperatorJobs& operator=(const OperatorJobs&) = delete;

  // Runs `job` on the loop's thread. After Stop, destroys it at once.
  // Thread-safe.
  void Add(Job job);

  // Destroys the jobs that are left, and from now on each that is added. On the
  // loop's thread, or when the loop runs no more.
  void Stop();

 private:
  static MonotonicTime PreciseNow();

  void WakeUp();
  void RunTurn();
  // False when some of it has to wait for another turn.
  bool TakeAdded();

  EventLoop& loop_;
  const Budget::Now now_;

  Mutex mutex_;
  // Not empty: the loop has been woken up for it.
  std::deque<Job> added_ ABSL_GUARDED_BY(mutex_);
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;

  // Loop thread only.
  std::deque<Job> ready_;
  std::vector<Job> later_;
  bool ended_ = false;
  Timer turn_;
};

}  // namespace echod

#endif  // ECHO_SERVER_OPERATOR_JOBS_H_
