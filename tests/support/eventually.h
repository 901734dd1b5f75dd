// SPDX-License-Identifier: Apache-2.0

#ifndef TESTS_SUPPORT_EVENTUALLY_H_
#define TESTS_SUPPORT_EVENTUALLY_H_

#include <thread>

#include "absl/functional/function_ref.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace echod::testing {

// Polls until `condition` holds, for conditions without an event. False after a
// generous timeout.
inline bool Eventually(absl::FunctionRef<bool()> condition) {
  const absl::Time deadline = absl::Now() + absl::Seconds(60);
  while (!condition()) {
    if (absl::Now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

}  // namespace echod::testing

#endif  // TESTS_SUPPORT_EVENTUALLY_H_
