// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_SESSION_ADDRESS_COUNTS_H_
#define ECHO_SESSION_ADDRESS_COUNTS_H_

#include <array>
#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "echo/base/mutex.h"
#include "echo/base/socket_address.h"

namespace echod {

// Counts connections by client address, whatever the port; over a Unix socket,
// by user. Keeps only addresses that have connections. Thread-safe.
class AddressCounts {
 public:
  // Adds a connection, unless the address has `most` already; 0 is no limit.
  // Returns whether it was added.
  bool Add(const SocketAddress& address, std::int64_t most);

  // Removes a connection that Add has added.
  void Remove(const SocketAddress& address);

 private:
  // In parts, since a table that grows moves all of its entries at once.
  struct Part {
    Mutex mutex;
    absl::flat_hash_map<SocketAddress, std::int64_t> counts
        ABSL_GUARDED_BY(mutex);
  };

  Part& PartOf(const SocketAddress& address);

  std::array<Part, 64> parts_;
};

}  // namespace echod

#endif  // ECHO_SESSION_ADDRESS_COUNTS_H_
