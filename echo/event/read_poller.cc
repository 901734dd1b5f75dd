// SPDX-License-Identifier: Apache-2.0

#include "echo/event/read_poller.h"

#include <cerrno>
#include <cstddef>
#include <utility>

#include "echo/base/check.h"
#include "echo/event/fd_watcher.h"

namespace echod {
namespace {

// Far enough to hide a miss behind the system calls of the ones between.
constexpr std::size_t kFetchAhead = 4;

}  // namespace

ReadPoller::ReadPoller(event_base* base, UniqueFd epoll_fd)
    : base_(base),
      events_(kMostEvents),
      epoll_fd_(std::move(epoll_fd)),
      epoll_event_(event_new(base, epoll_fd_.get(), EV_READ | EV_PERSIST,
                             &ReadPoller::OnPolled, this)) {
  ECHOD_CHECK(epoll_event_ != nullptr);
  for (std::int16_t i = kMostEvents; i > 0;) free_events_.push_back(--i);
}

int ReadPoller::Begin() {
  return event_add(epoll_event_.get(), nullptr) == 0 ? 0 : errno;
}

bool ReadPoller::Start(FdWatcher& watcher) {
  if (watcher.how_ != FdWatcher::kNot) return true;
  if (free_events_.empty()) {
    epoll_event event = {.events = EPOLLIN, .data = {.ptr = &watcher}};
    // EEXIST: an earlier Stop could not remove it.
    if (epoll_ctl(epoll_fd_.get(), EPOLL_CTL_ADD, watcher.fd(), &event) != 0 &&
        errno != EEXIST) {
      return false;
    }
    watcher.how_ = FdWatcher::kPolled;
    return true;
  }
  const std::int16_t index = free_events_.back();
  EventPtr& event = events_[static_cast<std::size_t>(index)];
  if (event == nullptr) {
    event.reset(event_new(base_, watcher.fd(), EV_READ | EV_PERSIST,
                          &ReadPoller::OnEvent, &watcher));
    if (event == nullptr) return false;
  } else {
    ECHOD_CHECK(event_assign(event.get(), base_, watcher.fd(),
                             EV_READ | EV_PERSIST, &ReadPoller::OnEvent,
                             &watcher) == 0);
  }
  if (event_add(event.get(), nullptr) != 0) return false;
  free_events_.pop_back();
  watcher.how_ = index;
  return true;
}

void ReadPoller::Stop(FdWatcher& watcher) {
  const std::int16_t how = std::exchange(watcher.how_, FdWatcher::kNot);
  if (how >= 0) {
    event_del(events_[static_cast<std::size_t>(how)].get());
    free_events_.push_back(how);
  } else if (how == FdWatcher::kPolled) {
    // No kernel is known to fail here. If one does, Dispatch skips the watcher
    // while it is stopped, and closing its descriptor removes it.
    epoll_ctl(epoll_fd_.get(), EPOLL_CTL_DEL, watcher.fd(), nullptr);
    for (std::size_t i = next_; i < count_; ++i) {
      if (batch_[i].data.ptr == &watcher) batch_[i].data.ptr = nullptr;
    }
  }
}

void ReadPoller::OnEvent(evutil_socket_t /*fd*/, short /*what*/,
                         void* watcher) {
  static_cast<FdWatcher*>(watcher)->OnReadable();
}

void ReadPoller::OnPolled(evutil_socket_t /*fd*/, short /*what*/, void* self) {
  static_cast<ReadPoller*>(self)->Dispatch();
}

void ReadPoller::Dispatch() {
  const int count = epoll_wait(epoll_fd_.get(), batch_.data(), kBatch, 0);
  count_ = count > 0 ? static_cast<std::size_t>(count) : 0;
  for (next_ = 0; next_ < count_;) {
    if (next_ + kFetchAhead < count_) {
      __builtin_prefetch(batch_[next_ + kFetchAhead].data.ptr, /*rw=*/1);
    }
    auto* const watcher = static_cast<FdWatcher*>(batch_[next_++].data.ptr);
    if (watcher != nullptr && watcher->how_ == FdWatcher::kPolled) {
      watcher->OnReadable();
    }
  }
  next_ = count_ = 0;
}

}  // namespace echod
