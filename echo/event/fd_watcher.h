// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_EVENT_FD_WATCHER_H_
#define ECHO_EVENT_FD_WATCHER_H_

#include <utility>

#include "echo/base/unique_fd.h"
#include "echo/event/read_poller.h"

namespace echod {

// Base of a class that reads from a descriptor: calls its OnReadable in each
// turn of a loop in which the descriptor is readable. Owns the descriptor, and
// closes it last of all. Belongs to that loop's thread. Small, since it lies in
// the cache line that each call touches.
class FdWatcher : private ReadPoller::Watch {
 protected:
  explicit FdWatcher(UniqueFd fd) : fd_(std::move(fd)) {}
  // Stopped before.
  ~FdWatcher() override = default;

  // See ReadPoller. `poller` is the same in all calls, and outlives the
  // watching.
  [[nodiscard]] bool Start(ReadPoller& poller) { return poller.Start(*this); }
  [[nodiscard]] bool StartUrgent(ReadPoller& poller) {
    return poller.StartUrgent(*this);
  }
  void Stop(ReadPoller& poller) { poller.Stop(*this); }

  // May stop or destroy this watcher, and any other.
  void OnReadable() override = 0;

  int fd() const final { return fd_.get(); }

 private:
  const UniqueFd fd_;
};
static_assert(sizeof(FdWatcher) == 16);

}  // namespace echod

#endif  // ECHO_EVENT_FD_WATCHER_H_
