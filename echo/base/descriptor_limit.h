// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_BASE_DESCRIPTOR_LIMIT_H_
#define ECHO_BASE_DESCRIPTOR_LIMIT_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace echod {

// Raises the process's soft limit of descriptors to the hard limit, because
// each connection takes a descriptor and the usual soft limit is 1,024. Returns
// the new limit.
std::uint64_t RaiseDescriptorLimit();

// Checks whether this process can open `count` more descriptors, by opening and
// closing them. For libraries that crash when the system refuses one. Returns
// RESOURCE_EXHAUSTED, which names the limit to raise, if it cannot. `purpose`
// says in the message what the descriptors are for. Thread-safe.
absl::Status CheckDescriptors(int count, absl::string_view purpose);

}  // namespace echod

#endif  // ECHO_BASE_DESCRIPTOR_LIMIT_H_
