// SPDX-License-Identifier: Apache-2.0

#include "echo/control/session_event_queue.h"

namespace echod {

void SessionEventQueue::Add(SessionEvent event) {
  {
    const MutexLock lock(mutex_);
    if (waiting_.events.size() >= capacity_ || waiting_.missed > 0) {
      ++waiting_.missed;
      missed_.fetch_add(1, std::memory_order_relaxed);
      return;
    }
    waiting_.events.push_back(std::move(event));
    if (waiting_.events.size() > 1) return;
  }
  wake_();
}

SessionEventQueue::Batch SessionEventQueue::Take() {
  Batch taken;
  const MutexLock lock(mutex_);
  std::swap(taken, waiting_);
  return taken;
}

}  // namespace echod
