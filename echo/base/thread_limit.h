// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_BASE_THREAD_LIMIT_H_
#define ECHO_BASE_THREAD_LIMIT_H_

#include "absl/status/status.h"

namespace echod {

// Checks whether this process can start `count` more threads, by starting and
// joining them. For libraries that crash when the system refuses one. Returns
// RESOURCE_EXHAUSTED, which names the limit to raise, if it cannot.
// Thread-safe.
absl::Status CheckThreads(int count);

}  // namespace echod

#endif  // ECHO_BASE_THREAD_LIMIT_H_
