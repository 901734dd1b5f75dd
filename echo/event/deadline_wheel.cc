// SPDX-License-Identifier: Apache-2.0

#include "echo/event/deadline_wheel.h"

#include <algorithm>

namespace echod {

void DeadlineWheel::Entry::Unlink() {
  if (wheel_ == nullptr) return;
  previous_->next_ = next_;
  next_->previous_ = previous_;
  --wheel_->size_;
  wheel_ = nullptr;
}

DeadlineWheel::DeadlineWheel(MonotonicTime now) : current_tick_(TickOf(now)) {
  for (Entry& head : slots_) head.previous_ = head.next_ = &head;
  due_.previous_ = due_.next_ = &due_;
}

void DeadlineWheel::Append(Entry& list, Entry& entry) {
  entry.previous_ = list.previous_;
  entry.next_ = &list;
  list.previous_->next_ = &entry;
  list.previous_ = &entry;
}

void DeadlineWheel::Splice(Entry& list, Entry& from) {
  if (from.next_ == &from) return;
  from.next_->previous_ = list.previous_;
  from.previous_->next_ = &list;
  list.previous_->next_ = from.next_;
  list.previous_ = from.previous_;
  from.previous_ = from.next_ = &from;
}

void DeadlineWheel::Schedule(Entry& entry, MonotonicTime deadline) {
  entry.Unlink();
  const std::int64_t tick =
      std::clamp(TickOf(deadline) + 1, current_tick_ + 1,
                 current_tick_ + static_cast<std::int64_t>(kSlots) - 1);
  Append(slots_[static_cast<std::size_t>(tick) % kSlots], entry);
  entry.wheel_ = this;
  ++size_;
}

bool DeadlineWheel::Advance(MonotonicTime now, std::size_t most,
                            absl::FunctionRef<void(Entry&)> due) {
  const std::int64_t target = TickOf(now);
  // After a long silence each slot is looked at once.
  std::int64_t tick = std::max(current_tick_ + 1,
                               target - static_cast<std::int64_t>(kSlots) + 1);
  current_tick_ = std::max(current_tick_, target);
  for (; tick <= target; ++tick) {
    Splice(due_, slots_[static_cast<std::size_t>(tick) % kSlots]);
  }
  for (; due_.next_ != &due_ && most > 0; --most) {
    Entry& entry = *due_.next_;
    entry.Unlink();
    due(entry);
  }
  return due_.next_ == &due_;
}

}  // namespace echod
