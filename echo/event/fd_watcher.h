#ifndef ECHO_EVENT_FD_WATCHER_H_
#define ECHO_EVENT_FD_WATCHER_H_

#include <event2/event_struct.h>

#include "echo/event/event_loop.h"

namespace echod {

// Calls back whenever a descriptor is readable, while it watches. The event is
// part of the object, so that what has one needs no allocation more and finds
// it beside its own fields. Belongs to the thread of its loop, which must
// outlive it; so must the descriptor, which is borrowed.
class FdWatcher {
 public:
  // Watches once Start has been called.
  FdWatcher(EventLoop& loop, int fd, event_callback_fn callback,
            void* argument);
  ~FdWatcher() { Stop(); }
  FdWatcher(const FdWatcher&) = delete;
  FdWatcher& operator=(const FdWatcher&) = delete;

  void Start();
  void Stop();

 private:
  event event_;
};

}  // namespace echod

#endif  // ECHO_EVENT_FD_WATCHER_H_
