// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_EVENT_EVENT_LOOP_H_
#define ECHO_EVENT_EVENT_LOOP_H_

#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "echo/base/mutex.h"
#include "echo/base/unique_fd.h"
#include "echo/event/libevent.h"
#include "echo/event/read_poller.h"

namespace echod {

// One event_base and the thread that runs it. Everything made on the base
// belongs to that thread; the only ways in from another are Post and Stop. The
// base has no locks, since nobody else touches it.
//
// A turn of the loop is bounded: after serving kMostServed descriptors at most,
// it looks at timers, signals and posted closures, and these come first. So
// that they cannot keep descriptors waiting, either, a timer that is armed with
// zero comes behind what is ready, and so do closures that are posted right
// after others, for some milliseconds at most.
//
// Until Run is called, the loop belongs to the thread that made it.
class EventLoop {
 public:
  using Closure = absl::AnyInvocable<void()>;

  // Callbacks of libevent's in a turn; one of them may be the poller's, which
  // serves a batch.
  static constexpr int kMostCallbacks = 512;
  static constexpr int kMostServed = kMostCallbacks - 1 + ReadPoller::kBatch;

  // RESOURCE_EXHAUSTED, with the limit to raise, when the system has no
  // descriptor, epoll watch or memory left.
  static absl::StatusOr<std::unique_ptr<EventLoop>> Create();
  // Not while Run is running, and after everything that was made on the base.
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  // Makes the calling thread the loop's, and runs the loop until Stop. Once.
  // Returns an error if polling failed: the loop has then ended as well, and
  // objects on its base get no more events.
  absl::Status Run();

  // Ends Run, after the closures that have been posted. Thread-safe.
  void Stop();

  // Runs `closure` on the loop's thread, in the order of the calls, and
  // destroys it there. One turn of the loop runs at most 64 closures, for at
  // most about 1 ms. Closures that are still waiting when the loop ends are
  // destroyed without being run, and so is every one posted later. Thread-safe;
  // never blocks for long.
  void Post(Closure closure);

  // Frees what libevent defers to the next turn (the sockets of bufferevents
  // that were freed), without waiting for anything. Loop thread only, outside
  // Run's callbacks, or once Run has returned.
  void FinishDeferredFrees();

  bool InLoopThread() const {
    return std::this_thread::get_id() ==
           thread_.load(std::memory_order_relaxed);
  }

  // Borrowed. Loop thread only. Events made on it have the ordinary priority.
  event_base* base() { return base_.get(); }
  ReadPoller& read_poller() { return read_poller_; }

 private:
  EventLoop(EventBasePtr base, UniqueFd wake_up_fd, UniqueFd poller_fd);
  // 0, or an errno.
  int WatchOwnDescriptors();
  void WakeUp();
  static void OnWakeUp(evutil_socket_t fd, short what, void* self);
  static void OnLookAgain(evutil_socket_t fd, short what, void* self);
  static void OnOverdue(evutil_socket_t fd, short what, void* self);
  void LookAgain();
  // Whether anything waits; if not, the next Post wakes the loop.
  bool HasPosted();
  void RunPosted();

  // Constant after construction.
  const EventBasePtr base_;
  const UniqueFd wake_up_fd_;  // an eventfd
  const EventPtr wake_up_event_;
  const EventPtr look_again_event_;  // a timer, behind what is ready
  const EventPtr overdue_event_;     // a timer, urgent

  std::atomic<std::thread::id> thread_;

  Mutex mutex_;
  std::vector<Closure> posted_ ABSL_GUARDED_BY(mutex_);
  // The loop is going to look at posted_ without being woken.
  bool awake_ ABSL_GUARDED_BY(mutex_) = false;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;

  // Loop thread only.
  std::vector<Closure> running_;
  std::size_t next_ = 0;                             // of these
  std::chrono::steady_clock::time_point ran_until_;  // the last of them
  ReadPoller read_poller_;
};

}  // namespace echod

#endif  // ECHO_EVENT_EVENT_LOOP_H_
