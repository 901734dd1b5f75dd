// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_SESSION_WAITING_ECHOES_H_
#define ECHO_SESSION_WAITING_ECHOES_H_

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "echo/base/clock.h"

namespace echod {

// When the bytes were read whose echo waits for the kernel to take it. A
// connection has one only while output waits, and it does not grow: beyond
// kMost reads, a mark stands for several, which count with the time of the last
// of them. One thread.
class WaitingEchoes {
 public:
  static constexpr std::size_t kMost = 16;

  // The echo of what was read at `read_at` ends at the position `end` of the
  // connection's output. In ascending order.
  void Add(std::int64_t end, MonotonicTime read_at) {
    if (size_ > 0 && marks_[size_ - 1].reads < reads_per_mark_) {
      Mark& last = marks_[size_ - 1];
      last = {.end = end, .read_at = read_at, .reads = last.reads + 1};
      return;
    }
    if (size_ == kMost) Halve();
    marks_[size_++] = {.end = end, .read_at = read_at, .reads = 1};
  }

  // The kernel has taken the output up to the position `taken`. Calls
  // `record(time of reading, number of reads)` for what it had to take.
  template <typename Record>
  void Take(std::int64_t taken, Record record) {
    std::size_t done = 0;
    for (; done < size_ && marks_[done].end <= taken; ++done) {
      record(marks_[done].read_at, marks_[done].reads);
    }
    std::copy(marks_.begin() + done, marks_.begin() + size_, marks_.begin());
    size_ -= done;
    if (size_ == 0) reads_per_mark_ = 1;
  }

  bool empty() const { return size_ == 0; }

  // When the input was read that is held back.
  MonotonicTime held_since;

 private:
  struct Mark {
    std::int64_t end = 0;
    MonotonicTime read_at;
    std::uint64_t reads = 0;
  };

  // Of two neighbours, keeps the later.
  void Halve() {
    for (std::size_t i = 0; i < kMost / 2; ++i) {
      const std::uint64_t earlier = marks_[2 * i].reads;
      marks_[i] = marks_[2 * i + 1];
      marks_[i].reads += earlier;
    }
    size_ = kMost / 2;
    reads_per_mark_ *= 2;
  }

  std::array<Mark, kMost> marks_;
  std::size_t size_ = 0;
  std::uint64_t reads_per_mark_ = 1;
};

}  // namespace echod

#endif  // ECHO_SESSION_WAITING_ECHOES_H_
