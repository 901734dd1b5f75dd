// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_SERVER_SPREAD_LIMIT_H_
#define ECHO_SERVER_SPREAD_LIMIT_H_

#include <cstddef>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "echo/base/mutex.h"

namespace echod {

// Limits how many sweeps are spread over time, all at once: each looks at every
// connection that ends. Thread-safe.
class SpreadLimit {
 public:
  // Returns what every worker holds until its sweep is done.
  // RESOURCE_EXHAUSTED with TOO_MANY_DRAINS if there are too many.
  absl::StatusOr<std::shared_ptr<void>> Take();

  static constexpr std::size_t kMost = 32;

 private:
  Mutex mutex_;
  std::vector<std::weak_ptr<void>> taken_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace echod

#endif  // ECHO_SERVER_SPREAD_LIMIT_H_
