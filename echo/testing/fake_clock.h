// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_TESTING_FAKE_CLOCK_H_
#define ECHO_TESTING_FAKE_CLOCK_H_

#include <atomic>
#include <chrono>
#include <cstdint>

#include "absl/time/time.h"
#include "echo/base/clock.h"

namespace echod {

// A clock for tests. It stands still until Advance, and counts how often it is
// read. Thread-safe.
class FakeClock final : public Clock {
 public:
  MonotonicTime MonotonicNow() override {
    ++looks_;
    return PreciseNow();
  }
  MonotonicTime PreciseNow() override {
    return MonotonicTime(std::chrono::nanoseconds(nanoseconds_.load()));
  }
  absl::Time WallNow() override {
    return absl::UnixEpoch() + absl::Nanoseconds(nanoseconds_.load());
  }

  // How often MonotonicNow has been called.
  std::int64_t looks() const { return looks_.load(); }

  void Advance(absl::Duration by) {
    nanoseconds_ += absl::ToInt64Nanoseconds(by);
  }

 private:
  std::atomic<std::int64_t> looks_{0};
  std::atomic<std::int64_t> nanoseconds_{1'000'000'000'000};
};

}  // namespace echod

#endif  // ECHO_TESTING_FAKE_CLOCK_H_
