// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_CONTROL_SESSION_EVENT_QUEUE_H_
#define ECHO_CONTROL_SESSION_EVENT_QUEUE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "echo/base/mutex.h"
#include "echo/control/session_event.h"

namespace echod {

// Events on their way from the loops to one reader, in the order in which they
// were added. Bounded: when it is full, further events are missed and counted,
// until the reader takes what there is. So all that are missed follow the
// batch. Thread-safe; the lock is held for as long as moving one event, or
// exchanging two pointers, takes.
class SessionEventQueue {
 public:
  struct Batch {
    std::vector<SessionEvent> events;
    std::int64_t missed = 0;  // after these
  };

  // Holds at most `capacity` events. `wake` is called when there is something
  // to take after there was nothing, by the thread that adds it.
  SessionEventQueue(std::size_t capacity, absl::AnyInvocable<void()> wake)
      : capacity_(capacity), wake_(std::move(wake)) {}

  void Add(SessionEvent event);

  // Takes what there is.
  Batch Take();

  // The number of events missed so far.
  std::int64_t missed() const {
    return missed_.load(std::memory_order_relaxed);
  }

 private:
  const std::size_t capacity_;
  absl::AnyInvocable<void()> wake_;
  std::atomic<std::int64_t> missed_{0};

  Mutex mutex_;
  Batch waiting_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace echod

#endif  // ECHO_CONTROL_SESSION_EVENT_QUEUE_H_
