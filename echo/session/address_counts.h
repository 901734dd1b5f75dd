// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_SESSION_ADDRESS_COUNTS_H_
#define ECHO_SESSION_ADDRESS_COUNTS_H_

#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "echo/base/mutex.h"
#include "echo/base/socket_address.h"

namespace echod {

// How many connections each client address has; ports do not count. Remembers
// only addresses that have some. Thread-safe.
class AddressCounts {
 public:
  // Adds one, unless the address has `most` already; `most` 0 is no limit.
  // Returns whether it did.
  bool Add(const SocketAddress& address, std::int64_t most);

  // Takes one off that Add has added.
  void Remove(const SocketAddress& address);

 private:
  Mutex mutex_;
  absl::flat_hash_map<SocketAddress, std::int64_t> counts_
      ABSL_GUARDED_BY(mutex_);
};

}  // namespace echod

#endif  // ECHO_SESSION_ADDRESS_COUNTS_H_
