// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_BASE_THREAD_LIMIT_H_
#define ECHO_BASE_THREAD_LIMIT_H_

#include "absl/status/status.h"

namespace echod {

// Whether this process may have `count` threads more than it has, found out by
// starting them all, and ending them. For libraries that do not survive to be
// refused one. RESOURCE_EXHAUSTED names the limit to raise. Thread-safe.
absl::Status CheckThreads(int count);

}  // namespace echod

#endif  // ECHO_BASE_THREAD_LIMIT_H_
