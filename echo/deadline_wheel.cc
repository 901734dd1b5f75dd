#include "echo/deadline_wheel.h"

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
}

void DeadlineWheel::Append(Entry& list, Entry& entry) {
  entry.previous_ = list.previous_;
  entry.next_ = &list;
  list.previous_->next_ = &entry;
  list.previous_ = &entry;
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

void DeadlineWheel::Advance(MonotonicTime now,
                            absl::FunctionRef<void(Entry&)> due) {
  const std::int64_t target = TickOf(now);
  // After a long silence each slot is looked at once.
  std::int64_t tick = std::max(current_tick_ + 1,
                               target - static_cast<std::int64_t>(kSlots) + 1);
  current_tick_ = std::max(current_tick_, target);
  for (; tick <= target; ++tick) {
    Entry& slot = slots_[static_cast<std::size_t>(tick) % kSlots];
    // A list of its own, since `due` may schedule into this very slot.
    Entry batch;
    if (slot.next_ == &slot) continue;
    batch.next_ = slot.next_;
    batch.previous_ = slot.previous_;
    batch.next_->previous_ = &batch;
    batch.previous_->next_ = &batch;
    slot.previous_ = slot.next_ = &slot;
    while (batch.next_ != &batch) {
      Entry& entry = *batch.next_;
      entry.Unlink();
      due(entry);
    }
  }
}

}  // namespace echod
