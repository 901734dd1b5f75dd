// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_BASE_RELAXED_COUNTER_H_
#define ECHO_BASE_RELAXED_COUNTER_H_

#include <atomic>
#include <cstdint>

namespace echod {

// A number that one thread changes and any thread reads. With a single writer,
// an addition is a plain load and store, without a locked instruction.
class RelaxedCounter {
 public:
  // Writing thread only.
  void Add(std::int64_t delta) {
    value_.store(value_.load(std::memory_order_relaxed) + delta,
                 std::memory_order_relaxed);
  }

  // Thread-safe.
  std::int64_t Get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::int64_t> value_{0};
};

}  // namespace echod

#endif  // ECHO_BASE_RELAXED_COUNTER_H_
