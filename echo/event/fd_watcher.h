#ifndef ECHO_EVENT_FD_WATCHER_H_
#define ECHO_EVENT_FD_WATCHER_H_

#include "echo/event/event_loop.h"
#include "echo/event/libevent.h"
#include "echo/event/read_poller.h"

namespace echod {

// Calls back in every turn of the loop in which a descriptor is readable, while
// it watches. Belongs to the thread of its loop, which must outlive it; so must
// the descriptor, which is borrowed.
//
// Best the last of what its owner needs when it is called: the ReadPoller
// fetches what lies before a watcher ahead of the call.
class FdWatcher {
 public:
  using Callback = void (*)(void* argument);

  // Watches once Start has been called. `callback` may stop or destroy this
  // watcher, and any other.
  FdWatcher(EventLoop& loop, int fd, Callback callback, void* argument);
  ~FdWatcher() { Stop(); }
  FdWatcher(const FdWatcher&) = delete;
  FdWatcher& operator=(const FdWatcher&) = delete;

  void Start();
  void Stop();

 private:
  friend class ReadPoller;

  void Call() { callback_(argument_); }

  const Callback callback_;
  void* const argument_;
  ReadPoller& poller_;
  EventPtr event_;  // null: not watched by libevent
  const int fd_;
  bool polled_ = false;  // watched by the poller's own epoll instance
};

}  // namespace echod

#endif  // ECHO_EVENT_FD_WATCHER_H_
