// SPDX-License-Identifier: Apache-2.0

#include "echo/event/event_loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "echo/base/check.h"
#include "echo/base/resource_error.h"

namespace echod {
namespace {

constexpr int kWakeUpTries = 3;

// What closures take of one turn, so that a flood of them does not keep sockets
// waiting.
constexpr std::size_t kMostClosures = 64;
constexpr std::chrono::milliseconds kClosuresTime{1};
// How long closures may wait behind what is ready.
constexpr std::chrono::microseconds kLongestWait{2000};

timeval ToTimeval(std::chrono::microseconds time) {
  return {.tv_sec = 0, .tv_usec = static_cast<suseconds_t>(time.count())};
}

// Null, with errno, when the system refuses.
EventBasePtr NewBase() {
  event_config* const config = event_config_new();
  ECHOD_CHECK(config != nullptr);
  event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
  event_config_set_max_dispatch_interval(
      config, nullptr, EventLoop::kMostCallbacks, kOrdinaryPriority);
  EventBasePtr base(event_base_new_with_config(config));
  const int error = errno;
  event_config_free(config);
  if (base != nullptr) {
    ECHOD_CHECK(event_base_priority_init(base.get(), kPriorities) == 0);
  }
  errno = error;
  return base;
}

absl::Status CannotCreate(int error) {
  return ResourceError("create an event loop", error);
}

}  // namespace

absl::StatusOr<std::unique_ptr<EventLoop>> EventLoop::Create() {
  errno = 0;
  EventBasePtr base = NewBase();
  if (base == nullptr) return CannotCreate(errno);
  UniqueFd wake_up_fd(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (!wake_up_fd.valid()) return CannotCreate(errno);
  UniqueFd poller_fd(epoll_create1(EPOLL_CLOEXEC));
  if (!poller_fd.valid()) return CannotCreate(errno);
  auto loop = std::unique_ptr<EventLoop>(new EventLoop(
      std::move(base), std::move(wake_up_fd), std::move(poller_fd)));
  if (const int error = loop->WatchOwnDescriptors(); error != 0) {
    return CannotCreate(error);
  }
  return loop;
}

EventLoop::EventLoop(EventBasePtr base, UniqueFd wake_up_fd, UniqueFd poller_fd)
    : base_(std::move(base)),
      wake_up_fd_(std::move(wake_up_fd)),
      wake_up_event_(event_new(base_.get(), wake_up_fd_.get(),
                               EV_READ | EV_PERSIST | EV_ET,
                               &EventLoop::OnWakeUp, this)),
      look_again_event_(
          evtimer_new(base_.get(), &EventLoop::OnLookAgain, this)),
      overdue_event_(evtimer_new(base_.get(), &EventLoop::OnOverdue, this)),
      thread_(std::this_thread::get_id()),
      read_poller_(base_.get(), std::move(poller_fd)) {
  ECHOD_CHECK(wake_up_event_ != nullptr && look_again_event_ != nullptr &&
              overdue_event_ != nullptr);
  event_priority_set(wake_up_event_.get(), kUrgentPriority);
  event_priority_set(overdue_event_.get(), kUrgentPriority);
}

int EventLoop::WatchOwnDescriptors() {
  if (event_add(wake_up_event_.get(), nullptr) != 0) return errno;
  return read_poller_.Begin();
}

EventLoop::~EventLoop() = default;

absl::Status EventLoop::Run() {
  thread_.store(std::this_thread::get_id(), std::memory_order_relaxed);
  const bool failed = event_base_loop(base_.get(), EVLOOP_NO_EXIT_ON_EMPTY) < 0;
  const int error = errno;

  std::vector<Closure> left;
  {
    MutexLock lock(mutex_);
    ended_ = true;
    left.swap(posted_);
  }
  running_.clear();
  next_ = 0;
  left.clear();
  FinishDeferredFrees();
  return failed ? ResourceError("wait for events", error) : absl::OkStatus();
}

void EventLoop::Stop() {
  Post([this] { event_base_loopbreak(base_.get()); });
}

void EventLoop::Post(Closure closure) {
  bool wake_up = false;
  {
    MutexLock lock(mutex_);
    if (!ended_) {
      wake_up = !std::exchange(awake_, true);
      posted_.push_back(std::move(closure));
    }
  }
  // One write wakes the loop for however many closures come until it is done.
  if (wake_up) WakeUp();
}

void EventLoop::WakeUp() {
  // A closure is not lost where the system refuses for a moment.
  for (int tries = 0; tries < kWakeUpTries; ++tries) {
    if (eventfd_write(wake_up_fd_.get(), 1) == 0) return;
  }
}

void EventLoop::FinishDeferredFrees() {
  ECHOD_DCHECK(InLoopThread());
  // The exit is queued behind the frees. EVLOOP_ONCE would go on for as long as
  // anything is ready.
  event_base_loopexit(base_.get(), nullptr);
  event_base_loop(base_.get(), EVLOOP_NONBLOCK);
}

void EventLoop::OnWakeUp(evutil_socket_t /*fd*/, short /*what*/, void* self) {
  // Edge-triggered: each write is an event, so nothing has to be read. The
  // counter has room for 2^64 of them.
  auto* const loop = static_cast<EventLoop*>(self);
  loop->RunPosted();
  // Until then nothing wakes the loop again: other threads could do so in each
  // turn, and what is ordinary would never be served.
  loop->LookAgain();
}

void EventLoop::OnLookAgain(evutil_socket_t /*fd*/, short /*what*/,
                            void* self) {
  auto* const loop = static_cast<EventLoop*>(self);
  evtimer_del(loop->look_again_event_.get());
  evtimer_del(loop->overdue_event_.get());
  if (!loop->HasPosted()) return;
  loop->RunPosted();
  loop->LookAgain();
}

void EventLoop::OnOverdue(evutil_socket_t fd, short what, void* self) {
  // Timers count from when this turn began, on a clock of some milliseconds. If
  // the closures took long, or the CPU was away, descriptors have had no turn
  // since.
  auto* const loop = static_cast<EventLoop*>(self);
  const auto waited = std::chrono::duration_cast<std::chrono::microseconds>(
      std::chrono::steady_clock::now() - loop->ran_until_);
  if (waited >= kLongestWait) return OnLookAgain(fd, what, self);
  const timeval left = ToTimeval(kLongestWait - waited);
  ECHOD_CHECK(evtimer_add(loop->overdue_event_.get(), &left) == 0);
}

void EventLoop::LookAgain() {
  // In the next turn; event_active would run it in this one.
  constexpr timeval kNow = {};
  const timeval longest = ToTimeval(kLongestWait);
  // Fails only where malloc does.
  ECHOD_CHECK(evtimer_add(look_again_event_.get(), &kNow) == 0 &&
              evtimer_add(overdue_event_.get(), &longest) == 0);
}

bool EventLoop::HasPosted() {
  if (next_ < running_.size()) return true;
  const MutexLock lock(mutex_);
  awake_ = !posted_.empty();
  return awake_;
}

void EventLoop::RunPosted() {
  if (next_ == running_.size()) {
    running_.clear();
    next_ = 0;
    const MutexLock lock(mutex_);
    running_.swap(posted_);
  }
  // What these closures post waits for the next turn, and so do closures that
  // this turn does not get to.
  ran_until_ = std::chrono::steady_clock::now();
  const auto end = ran_until_ + kClosuresTime;
  for (std::size_t i = 0; i < kMostClosures && next_ < running_.size(); ++i) {
    running_[next_]();
    running_[next_] = nullptr;
    ++next_;
    ran_until_ = std::chrono::steady_clock::now();
    if (event_base_got_break(base_.get()) != 0) return;
    if (ran_until_ >= end) break;
  }
}

}  // namespace echod
