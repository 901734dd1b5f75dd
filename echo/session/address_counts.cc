// SPDX-License-Identifier: Apache-2.0

#include "echo/session/address_counts.h"

#include "absl/hash/hash.h"

namespace echod {

AddressCounts::Part& AddressCounts::PartOf(const SocketAddress& address) {
  return parts_[absl::Hash<SocketAddress>()(address) % parts_.size()];
}

bool AddressCounts::Add(const SocketAddress& address, std::int64_t most) {
  const SocketAddress host = address.HostOnly();
  Part& part = PartOf(host);
  const MutexLock lock(part.mutex);
  std::int64_t& count = part.counts[host];
  // A new entry has none, so it is never left behind here.
  if (most > 0 && count >= most) return false;
  ++count;
  return true;
}

void AddressCounts::Remove(const SocketAddress& address) {
  const SocketAddress host = address.HostOnly();
  Part& part = PartOf(host);
  const MutexLock lock(part.mutex);
  const auto found = part.counts.find(host);
  if (found != part.counts.end() && --found->second == 0) {
    part.counts.erase(found);
  }
}

}  // namespace echod
