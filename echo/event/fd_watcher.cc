#include "echo/event/fd_watcher.h"

#include "echo/base/check.h"

namespace echod {

FdWatcher::FdWatcher(EventLoop& loop, int fd, event_callback_fn callback,
                     void* argument) {
  ECHOD_CHECK(event_assign(&event_, loop.base(), fd, EV_READ | EV_PERSIST,
                           callback, argument) == 0);
}

void FdWatcher::Start() { ECHOD_CHECK(event_add(&event_, nullptr) == 0); }

void FdWatcher::Stop() { event_del(&event_); }

}  // namespace echod
