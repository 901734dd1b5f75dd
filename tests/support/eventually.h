// SPDX-License-Identifier: Apache-2.0

#ifndef TESTS_SUPPORT_EVENTUALLY_H_
#define TESTS_SUPPORT_EVENTUALLY_H_

#include <thread>

#include "absl/functional/function_ref.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace echod::testing {

// Asks until `condition` holds, for what no event tells of. False when it does
// not for so long that something must be broken.
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
