#include "echo/event/event_loop.h"

#include <sys/eventfd.h>

#include <cstdint>
#include <utility>

#include "echo/base/check.h"

namespace echod {
namespace {

EventBasePtr NewBase() {
  event_config* const config = event_config_new();
  ECHOD_CHECK(config != nullptr);
  event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
  EventBasePtr base(event_base_new_with_config(config));
  event_config_free(config);
  ECHOD_CHECK(base != nullptr);
  return base;
}

}  // namespace

EventLoop::EventLoop()
    : base_(NewBase()),
      wake_up_fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      thread_(std::this_thread::get_id()),
      read_poller_(base_.get()) {
  ECHOD_CHECK(wake_up_fd_.valid());
  wake_up_event_.reset(event_new(base_.get(), wake_up_fd_.get(),
                                 EV_READ | EV_PERSIST, &EventLoop::OnWakeUp,
                                 this));
  ECHOD_CHECK(wake_up_event_ != nullptr);
  ECHOD_CHECK(event_add(wake_up_event_.get(), nullptr) == 0);
}

EventLoop::~EventLoop() = default;

void EventLoop::Run() {
  thread_.store(std::this_thread::get_id(), std::memory_order_relaxed);
  event_base_loop(base_.get(), EVLOOP_NO_EXIT_ON_EMPTY);

  std::vector<Closure> left;
  {
    MutexLock lock(mutex_);
    ended_ = true;
    left.swap(posted_);
  }
  left.clear();
  FinishDeferredFrees();
}

void EventLoop::Stop() {
  Post([this] { event_base_loopbreak(base_.get()); });
}

void EventLoop::Post(Closure closure) {
  bool wake_up = false;
  {
    MutexLock lock(mutex_);
    if (!ended_) {
      wake_up = posted_.empty();
      posted_.push_back(std::move(closure));
    }
  }
  // One write wakes the loop for however many closures come before it looks.
  if (wake_up) eventfd_write(wake_up_fd_.get(), 1);
}

void EventLoop::FinishDeferredFrees() {
  ECHOD_DCHECK(InLoopThread());
  event_base_loop(base_.get(), EVLOOP_NONBLOCK);
}

void EventLoop::OnWakeUp(evutil_socket_t fd, short /*what*/, void* self) {
  eventfd_t count = 0;
  eventfd_read(fd, &count);
  static_cast<EventLoop*>(self)->RunPosted();
}

void EventLoop::RunPosted() {
  {
    MutexLock lock(mutex_);
    running_.swap(posted_);
  }
  // What these closures post waits for the next turn, so that sockets get
  // theirs.
  for (Closure& closure : running_) {
    closure();
    closure = nullptr;
    if (event_base_got_break(base_.get())) break;
  }
  running_.clear();
}

}  // namespace echod
