// SPDX-License-Identifier: Apache-2.0

#include "echo/session/generation_counts.h"

#include <algorithm>

namespace echod {

void GenerationCounts::Add(std::int64_t generation) {
  const MutexLock lock(mutex_);
  ++counts_[generation];
}

void GenerationCounts::Remove(std::int64_t generation) {
  const MutexLock lock(mutex_);
  const auto found = counts_.find(generation);
  if (found != counts_.end() && --found->second == 0) counts_.erase(found);
}

std::vector<std::int64_t> GenerationCounts::Before(std::int64_t current) const {
  std::vector<std::int64_t> before;
  const MutexLock lock(mutex_);
  auto it = counts_.lower_bound(current);
  while (it != counts_.begin() && before.size() < kMost) {
    --it;
    before.push_back(it->first);
  }
  std::reverse(before.begin(), before.end());
  return before;
}

}  // namespace echod
