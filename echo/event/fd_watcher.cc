#include "echo/event/fd_watcher.h"

namespace echod {

FdWatcher::FdWatcher(EventLoop& loop, int fd, Callback callback, void* argument)
    : callback_(callback),
      argument_(argument),
      poller_(loop.read_poller()),
      fd_(fd) {}

void FdWatcher::Start() { poller_.Start(*this); }

void FdWatcher::Stop() { poller_.Stop(*this); }

}  // namespace echod
