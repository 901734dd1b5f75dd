// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_EVENT_DEADLINE_WHEEL_H_
#define ECHO_EVENT_DEADLINE_WHEEL_H_

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "absl/functional/function_ref.h"
#include "echo/base/clock.h"

namespace echod {

// A timer wheel: coarse deadlines for thousands of connections, where setting
// and cancelling one costs a few pointer writes. The timeouts of bufferevents
// are no substitute: they pause while that direction is disabled.
//
// The wheel only reports that a deadline may have passed: `Advance` hands over
// the entries of the slots that have passed, and the owner checks each, and
// schedules it again if it is not due yet. So a deadline that moves with every
// byte (an idle timeout) costs nothing until its slot comes up. Used by one
// thread; owns none of its entries.
class DeadlineWheel {
 public:
  static constexpr std::chrono::milliseconds kTick{50};

  // Base of what can be on a wheel. Leaves the wheel when it is destroyed.
  class Entry {
   public:
    Entry() = default;
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;
    ~Entry() { Unlink(); }

   private:
    friend class DeadlineWheel;
    void Unlink();

    Entry* previous_ = nullptr;
    Entry* next_ = nullptr;
    DeadlineWheel* wheel_ = nullptr;
  };

  explicit DeadlineWheel(MonotonicTime now);
  DeadlineWheel(const DeadlineWheel&) = delete;
  DeadlineWheel& operator=(const DeadlineWheel&) = delete;

  // Has `entry` come up at `deadline`, at most one tick later, or earlier if
  // that is beyond the wheel's horizon. Replaces an earlier call.
  void Schedule(Entry& entry, MonotonicTime deadline);

  void Cancel(Entry& entry) { entry.Unlink(); }

  // Takes entries of the slots up to `now` off the wheel, at most `most` of
  // them, and passes each to `due`, which may schedule, cancel or destroy any
  // of them. False if some are left for the next call. However long ago the
  // last call was, each slot is looked at once at most.
  bool Advance(MonotonicTime now, std::size_t most,
               absl::FunctionRef<void(Entry&)> due);

  bool empty() const { return size_ == 0; }

 private:
  static constexpr std::size_t kSlots = 512;  // about 25 seconds

  static std::int64_t TickOf(MonotonicTime time) {
    return time.time_since_epoch() / kTick;
  }
  static void Append(Entry& list, Entry& entry);
  // Moves all of `from` to the end of `list`.
  static void Splice(Entry& list, Entry& from);

  // Heads of circular lists.
  std::array<Entry, kSlots> slots_;
  Entry due_;  // of slots that have passed

  std::int64_t current_tick_;  // the last that Advance has emptied
  std::size_t size_ = 0;
};

}  // namespace echod

#endif  // ECHO_EVENT_DEADLINE_WHEEL_H_
