// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_SESSION_GENERATION_COUNTS_H_
#define ECHO_SESSION_GENERATION_COUNTS_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/btree_map.h"
#include "echo/base/mutex.h"

namespace echod {

// Counts a listener's connections by its generation, which is that of the
// socket that accepted them. Keeps only generations that have connections.
// Thread-safe.
class GenerationCounts {
 public:
  // How many Before returns at most.
  static constexpr std::size_t kMost = 100;

  void Add(std::int64_t generation);

  // Removes a connection that Add has added.
  void Remove(std::int64_t generation);

  // The generations before `current` that have connections, ascending; the
  // latest, if there are too many.
  std::vector<std::int64_t> Before(std::int64_t current) const;

 private:
  mutable Mutex mutex_;
  absl::btree_map<std::int64_t, std::int64_t> counts_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace echod

#endif  // ECHO_SESSION_GENERATION_COUNTS_H_
