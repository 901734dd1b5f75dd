// SPDX-License-Identifier: Apache-2.0

#include "echo/event/read_poller.h"

#include <cerrno>
#include <cstddef>
#include <utility>

#include "echo/base/check.h"

namespace echod {
namespace {

// Far enough ahead for the system calls in between to hide the cache miss.
constexpr std::size_t kFetchAhead = 4;

}  // namespace

ReadPoller::Watch::~Watch() { ECHOD_DCHECK(place_ == kStopped); }

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

bool ReadPoller::Start(Watch& watch) {
  if (watch.place_ != Watch::kStopped) return true;
  if (!free_events_.empty()) return StartEvent(watch, kOrdinaryPriority);
  epoll_event event = {.events = EPOLLIN, .data = {.ptr = &watch}};
  // EEXIST: an earlier Stop could not remove it.
  if (epoll_ctl(epoll_fd_.get(), EPOLL_CTL_ADD, watch.fd(), &event) != 0 &&
      errno != EEXIST) {
    return false;
  }
  watch.place_ = Watch::kPolled;
  return true;
}

bool ReadPoller::StartUrgent(Watch& watch) {
  if (watch.place_ != Watch::kStopped) return true;
  ECHOD_CHECK(!free_events_.empty());
  return StartEvent(watch, kUrgentPriority);
}

bool ReadPoller::StartEvent(Watch& watch, int priority) {
  const std::int16_t index = free_events_.back();
  EventPtr& event = events_[static_cast<std::size_t>(index)];
  if (event == nullptr) {
    event.reset(event_new(base_, watch.fd(), EV_READ | EV_PERSIST,
                          &ReadPoller::OnEvent, &watch));
    if (event == nullptr) return false;
  } else {
    ECHOD_CHECK(event_assign(event.get(), base_, watch.fd(),
                             EV_READ | EV_PERSIST, &ReadPoller::OnEvent,
                             &watch) == 0);
  }
  event_priority_set(event.get(), priority);
  if (event_add(event.get(), nullptr) != 0) return false;
  free_events_.pop_back();
  watch.place_ = index;
  return true;
}

void ReadPoller::Stop(Watch& watch) {
  const std::int16_t place = std::exchange(watch.place_, Watch::kStopped);
  if (place >= 0) {
    event_del(events_[static_cast<std::size_t>(place)].get());
    free_events_.push_back(place);
  } else if (place == Watch::kPolled) {
    // No kernel is known to fail here. If one does, Dispatch skips the watch
    // while it is stopped, and closing its descriptor removes it.
    epoll_ctl(epoll_fd_.get(), EPOLL_CTL_DEL, watch.fd(), nullptr);
    for (std::size_t i = next_; i < count_; ++i) {
      if (batch_[i].data.ptr == &watch) batch_[i].data.ptr = nullptr;
    }
  }
}

void ReadPoller::MoveToEvent(Watch& watch) {
  // Where the system has no watch left, it stays where it is.
  if (!StartEvent(watch, kOrdinaryPriority)) return;
  epoll_ctl(epoll_fd_.get(), EPOLL_CTL_DEL, watch.fd(), nullptr);
}

void ReadPoller::OnEvent(evutil_socket_t /*fd*/, short /*what*/, void* watch) {
  static_cast<Watch*>(watch)->OnReadable();
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
    auto* const watch = static_cast<Watch*>(batch_[next_++].data.ptr);
    if (watch == nullptr || watch->place_ != Watch::kPolled) continue;
    if (free_events_.size() >= kPlentyOfEvents) MoveToEvent(*watch);
    watch->OnReadable();
  }
  next_ = count_ = 0;
}

}  // namespace echod
