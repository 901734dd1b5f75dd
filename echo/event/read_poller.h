// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_EVENT_READ_POLLER_H_
#define ECHO_EVENT_READ_POLLER_H_

#include <sys/epoll.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "echo/base/unique_fd.h"
#include "echo/event/libevent.h"

namespace echod {

class FdWatcher;

// Watches the descriptors of a loop's FdWatchers: the first of them by events
// of libevent's, and the others, when there are many, by an epoll instance of
// its own, which libevent watches. libevent fetches up to 4,096 events at once
// and queues them, and by the time the last is served the caches have forgotten
// what polling brought into them; here a batch is small, and what the next
// calls need is fetched ahead. For few it costs a system call more than it
// saves. See docs/adr/0008. Belongs to the thread of its base, which must
// outlive it.
class ReadPoller {
 public:
  // So many watchers are libevent's.
  static constexpr int kMostEvents = 128;
  // The others are served so many in a turn of the loop at most.
  static constexpr int kBatch = 512;

  // `epoll_fd` is a new epoll instance.
  ReadPoller(event_base* base, UniqueFd epoll_fd);
  ReadPoller(const ReadPoller&) = delete;
  ReadPoller& operator=(const ReadPoller&) = delete;

  // Before anything else: 0, or an errno when the system has no watch left.
  int Begin();

  // For FdWatcher, which see. Both may be called from a watcher's callback; a
  // stopped watcher is not looked at again.
  [[nodiscard]] bool Start(FdWatcher& watcher);
  void Stop(FdWatcher& watcher);

 private:
  static void OnEvent(evutil_socket_t fd, short what, void* watcher);
  static void OnPolled(evutil_socket_t fd, short what, void* self);
  void Dispatch();

  event_base* const base_;
  std::vector<EventPtr> events_;           // of the first watchers
  std::vector<std::int16_t> free_events_;  // indices of those not in use
  const UniqueFd epoll_fd_;
  const EventPtr epoll_event_;  // watches it
  std::array<epoll_event, kBatch> batch_;
  std::size_t next_ = 0;   // of the batch that is being dispatched
  std::size_t count_ = 0;  // 0: none is
};

}  // namespace echod

#endif  // ECHO_EVENT_READ_POLLER_H_
