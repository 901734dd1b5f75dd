// SPDX-License-Identifier: Apache-2.0

#include "echo/session/address_counts.h"

namespace echod {

bool AddressCounts::Add(const SocketAddress& address, std::int64_t most) {
  const MutexLock lock(mutex_);
  std::int64_t& count = counts_[address.WithPort(0)];
  // One that is new has none, and so is never left behind here.
  if (most > 0 && count >= most) return false;
  ++count;
  return true;
}

void AddressCounts::Remove(const SocketAddress& address) {
  const MutexLock lock(mutex_);
  const auto found = counts_.find(address.WithPort(0));
  if (found != counts_.end() && --found->second == 0) counts_.erase(found);
}

}  // namespace echod
