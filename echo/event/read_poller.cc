#include "echo/event/read_poller.h"

#include <cstddef>
#include <cstdint>

#include "echo/base/check.h"
#include "echo/event/fd_watcher.h"

namespace echod {
namespace {

// Far enough to hide a miss behind the system calls of the ones between.
constexpr std::size_t kFetchAhead = 4;

// Fetches a watcher, which may be null, and the fields of its owner before it.
void Fetch(const void* watcher) {
  constexpr std::uintptr_t kCacheLine = 64;
  const auto at = reinterpret_cast<std::uintptr_t>(watcher);
  for (const std::uintptr_t line : {at, at - kCacheLine, at - 2 * kCacheLine}) {
    // NOLINTNEXTLINE(performance-no-int-to-ptr): not a pointer to anything
    __builtin_prefetch(reinterpret_cast<const void*>(line), /*rw=*/1);
  }
}

}  // namespace

ReadPoller::ReadPoller(event_base* base)
    : base_(base),
      epoll_fd_(epoll_create1(EPOLL_CLOEXEC)),
      epoll_event_(event_new(base, epoll_fd_.get(), EV_READ | EV_PERSIST,
                             &ReadPoller::OnPolled, this)) {
  ECHOD_CHECK(epoll_fd_.valid() && epoll_event_ != nullptr);
  ECHOD_CHECK(event_add(epoll_event_.get(), nullptr) == 0);
}

void ReadPoller::Start(FdWatcher& watcher) {
  if (watcher.event_ != nullptr || watcher.polled_) return;
  if (events_ < kMostEvents) {
    ++events_;
    watcher.event_.reset(event_new(base_, watcher.fd_, EV_READ | EV_PERSIST,
                                   &ReadPoller::OnEvent, &watcher));
    ECHOD_CHECK(watcher.event_ != nullptr);
    ECHOD_CHECK(event_add(watcher.event_.get(), nullptr) == 0);
  } else {
    watcher.polled_ = true;
    epoll_event event = {.events = EPOLLIN, .data = {.ptr = &watcher}};
    ECHOD_CHECK(
        epoll_ctl(epoll_fd_.get(), EPOLL_CTL_ADD, watcher.fd_, &event) == 0);
  }
}

void ReadPoller::Stop(FdWatcher& watcher) {
  if (watcher.event_ != nullptr) {
    watcher.event_.reset();
    --events_;
  } else if (watcher.polled_) {
    watcher.polled_ = false;
    ECHOD_CHECK(
        epoll_ctl(epoll_fd_.get(), EPOLL_CTL_DEL, watcher.fd_, nullptr) == 0);
    for (std::size_t i = next_; i < count_; ++i) {
      if (batch_[i].data.ptr == &watcher) batch_[i].data.ptr = nullptr;
    }
  }
}

void ReadPoller::OnEvent(evutil_socket_t /*fd*/, short /*what*/,
                         void* watcher) {
  static_cast<FdWatcher*>(watcher)->Call();
}

void ReadPoller::OnPolled(evutil_socket_t /*fd*/, short /*what*/, void* self) {
  static_cast<ReadPoller*>(self)->Dispatch();
}

void ReadPoller::Dispatch() {
  const int count = epoll_wait(epoll_fd_.get(), batch_.data(), kBatch, 0);
  count_ = count > 0 ? static_cast<std::size_t>(count) : 0;
  for (next_ = 0; next_ < count_;) {
    if (next_ + kFetchAhead < count_) {
      Fetch(batch_[next_ + kFetchAhead].data.ptr);
    }
    auto* const watcher = static_cast<FdWatcher*>(batch_[next_++].data.ptr);
    if (watcher != nullptr) watcher->Call();
  }
  next_ = count_ = 0;
}

}  // namespace echod
