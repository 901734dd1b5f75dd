// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_BASE_CHECK_H_
#define ECHO_BASE_CHECK_H_

#include <poll.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

// Ends the process with a message when an invariant does not hold. For mistakes
// of this program only; what the environment does is an absl::Status.
#define ECHOD_CHECK(condition) \
  ((condition)                 \
       ? static_cast<void>(0)  \
       : ::echod::internal::CheckFailed(#condition, __FILE__, __LINE__))

// The same, in builds with assertions only (the sanitizer configurations).
#ifdef NDEBUG
#define ECHOD_DCHECK(condition) static_cast<void>(0)
#else
#define ECHOD_DCHECK(condition) ECHOD_CHECK(condition)
#endif

namespace echod::internal {

[[noreturn]] inline void CheckFailed(const char* condition, const char* file,
                                     int line) {
  constexpr int kPatienceMs = 1000;
  // Bypasses stdio, and writes only if standard error is ready, so that this
  // cannot block.
  pollfd out = {.fd = STDERR_FILENO, .events = POLLOUT, .revents = 0};
  if (poll(&out, 1, kPatienceMs) == 1) {
    dprintf(STDERR_FILENO, "%s:%d: check failed: %s\n", file, line, condition);
  }
  std::abort();
}

}  // namespace echod::internal

#endif  // ECHO_BASE_CHECK_H_
