// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_EVENT_FD_WATCHER_H_
#define ECHO_EVENT_FD_WATCHER_H_

#include <cstdint>
#include <utility>

#include "echo/base/check.h"
#include "echo/base/unique_fd.h"
#include "echo/event/read_poller.h"

namespace echod {

// Derive from it to be called in every turn of a loop in which a descriptor is
// readable. Owns the descriptor, and closes it last of all. Belongs to that
// loop's thread. Small, since it lies in the cache line that is touched for
// each call.
class FdWatcher {
 public:
  FdWatcher(const FdWatcher&) = delete;
  FdWatcher& operator=(const FdWatcher&) = delete;

 protected:
  explicit FdWatcher(UniqueFd fd) : fd_(std::move(fd)) {}
  // Stopped before.
  virtual ~FdWatcher() { ECHOD_DCHECK(how_ == kNot); }

  // Watches from now on, until it is stopped. `poller` is the same in all
  // calls, and outlives the watching. False, and nothing is watched, when the
  // system is out of memory or of the user's epoll watches.
  [[nodiscard]] bool Start(ReadPoller& poller) { return poller.Start(*this); }
  void Stop(ReadPoller& poller) { poller.Stop(*this); }

  // May stop or destroy this watcher, and any other.
  virtual void OnReadable() = 0;

  int fd() const { return fd_.get(); }

 private:
  friend class ReadPoller;

  // How it is watched: by the poller's event of this index, or
  static constexpr std::int16_t kNot = -1;
  static constexpr std::int16_t kPolled = -2;  // by its own epoll instance

  const UniqueFd fd_;
  std::int16_t how_ = kNot;
};

}  // namespace echod

#endif  // ECHO_EVENT_FD_WATCHER_H_
