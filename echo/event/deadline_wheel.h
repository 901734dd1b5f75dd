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

// A timer wheel: coarse deadlines for very many things, where setting and
// cancelling one costs a few pointer writes. bufferevent's own timeouts do not
// serve: they stand still while that direction is disabled.
//
// A wheel says only that a deadline may have come: `Advance` hands over what
// lies in the slots that have passed, and the owner looks, and schedules again
// what is not due yet. So a deadline that moves at every byte (an idle timeout)
// costs nothing until its slot comes around. One thread; owns none of its
// entries.
class DeadlineWheel {
 public:
  static constexpr std::chrono::milliseconds kTick{50};

  // Derive from it to be put on a wheel. Leaves the wheel when it is destroyed.
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

  // Puts `entry` where it comes up at `deadline`, a tick later at the most, or
  // earlier when that is beyond the wheel's horizon. Replaces an earlier call.
  void Schedule(Entry& entry, MonotonicTime deadline);

  void Cancel(Entry& entry) { entry.Unlink(); }

  // Takes the entries of all slots up to `now` off the wheel, `most` of them at
  // once, and hands each to `due`, which may schedule, cancel or destroy any of
  // them. False when some are left for the next call.
  bool Advance(MonotonicTime now, std::size_t most,
               absl::FunctionRef<void(Entry&)> due);

  bool empty() const { return size_ == 0; }

 private:
  static constexpr std::size_t kSlots = 512;  // about 25 seconds

  static std::int64_t TickOf(MonotonicTime time) {
    return time.time_since_epoch() / kTick;
  }
  static void Append(Entry& list, Entry& entry);
  // Moves all of `from` behind what `list` has.
  static void Splice(Entry& list, Entry& from);

  // Heads of circular lists.
  std::array<Entry, kSlots> slots_;
  Entry due_;  // of slots that have passed

  std::int64_t current_tick_;  // the last one that Advance has emptied
  std::size_t size_ = 0;
};

}  // namespace echod

#endif  // ECHO_EVENT_DEADLINE_WHEEL_H_
