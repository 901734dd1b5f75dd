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

// Reports which of a loop's descriptors are readable. The first ones are events
// of libevent's; with many, the others are in an epoll instance of the poller's
// own, which libevent watches as one descriptor. libevent fetches up to 4,096
// events at once and queues them, and by the time it serves the last, the
// caches have lost what polling brought into them; here a batch is small, and
// the memory that the next callbacks need is prefetched. For few descriptors
// the second instance costs one system call more than it saves, so a watch
// moves back to libevent once enough others have gone. See docs/adr/0015.
//
// Loop thread only. The base outlives it.
class ReadPoller {
 public:
  // Watches of libevent's.
  static constexpr int kMostEvents = 128;
  // Of the others, the most that one turn of the loop serves.
  static constexpr int kBatch = 256;
  // A watch moves back to libevent when at least so many of libevent's are
  // free. Fewer would have watches move whenever another pauses.
  static constexpr std::size_t kPlentyOfEvents = kMostEvents / 2;

  // One descriptor to watch; borrowed while it is watched. Two words, so that
  // it fits beside what the owner touches on each call.
  class Watch {
   public:
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;

   protected:
    Watch() = default;
    // Stopped before.
    virtual ~Watch();

    virtual int fd() const = 0;

    // The descriptor is readable. May stop or destroy this watch, and any
    // other.
    virtual void OnReadable() = 0;

   private:
    friend class ReadPoller;

    static constexpr std::int16_t kStopped = -1;
    static constexpr std::int16_t kPolled = -2;  // by the poller's own instance

    // One of the above, or the index of libevent's event.
    std::int16_t place_ = kStopped;
  };

  // `epoll_fd` is a new epoll instance.
  ReadPoller(event_base* base, UniqueFd epoll_fd);
  ReadPoller(const ReadPoller&) = delete;
  ReadPoller& operator=(const ReadPoller&) = delete;

  // Before anything else: 0, or an errno when the system has no epoll watch
  // left.
  int Begin();

  // Calls `watch.OnReadable()` in each turn of the loop in which the descriptor
  // is readable, until Stop. False, and nothing is watched, when the system is
  // out of memory or of the user's epoll watches. Both may be called again, and
  // from within a callback; a stopped watch is not touched any more.
  [[nodiscard]] bool Start(Watch& watch);
  void Stop(Watch& watch);

  // Start, for one that is served before anything ordinary. Only while fewer
  // than kMostEvents others are watched, as when the process starts.
  [[nodiscard]] bool StartUrgent(Watch& watch);

 private:
  static void OnEvent(evutil_socket_t fd, short what, void* watch);
  static void OnPolled(evutil_socket_t fd, short what, void* self);
  bool StartEvent(Watch& watch, int priority);
  void MoveToEvent(Watch& watch);
  void Dispatch();

  event_base* const base_;
  std::vector<EventPtr> events_;           // libevent's
  std::vector<std::int16_t> free_events_;  // indices of those not in use
  const UniqueFd epoll_fd_;
  const EventPtr epoll_event_;  // watches it
  std::array<epoll_event, kBatch> batch_;
  std::size_t next_ = 0;   // of the batch that is being dispatched
  std::size_t count_ = 0;  // 0: none is
};

}  // namespace echod

#endif  // ECHO_EVENT_READ_POLLER_H_
