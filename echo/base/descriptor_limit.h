// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_BASE_DESCRIPTOR_LIMIT_H_
#define ECHO_BASE_DESCRIPTOR_LIMIT_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace echod {

// Raises the process's soft limit of descriptors to the hard one, since a
// connection takes a descriptor and the usual soft limit is 1,024. Returns how
// many it may have now.
std::uint64_t RaiseDescriptorLimit();

// Whether this process may open `count` descriptors more, those apart that it
// has been started with: found out by opening them all, and closing them. For
// libraries that do not survive to be refused one. RESOURCE_EXHAUSTED names
// the limit to raise; `purpose` says what takes them. Thread-safe.
absl::Status CheckDescriptors(int count, absl::string_view purpose);

}  // namespace echod

#endif  // ECHO_BASE_DESCRIPTOR_LIMIT_H_
