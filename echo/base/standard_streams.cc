// SPDX-License-Identifier: Apache-2.0

#include "echo/base/standard_streams.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace echod {

// Raw system calls, because neither the C library nor preloaded libraries are
// initialized yet.
void OpenStandardStreams() {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
    if (syscall(SYS_fcntl, fd, F_GETFD) >= 0) continue;
    // `fd` is the lowest free number. Without /dev/null, a descriptor that
    // cannot be written to occupies it.
    if (syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDWR) < 0) {
      syscall(SYS_openat, AT_FDCWD, "/", O_PATH);
    }
  }
}

}  // namespace echod
