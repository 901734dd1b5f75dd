// SPDX-License-Identifier: Apache-2.0

#include "echo/base/standard_streams.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace echod {

// System calls without the C library around them: neither it nor what is
// preloaded has been initialized.
void OpenStandardStreams() {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
    if (syscall(SYS_fcntl, fd, F_GETFD) >= 0) continue;
    // The lowest free number is `fd`. Where there is no /dev/null, something
    // that cannot be written keeps the number taken.
    if (syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDWR) < 0) {
      syscall(SYS_openat, AT_FDCWD, "/", O_PATH);
    }
  }
}

}  // namespace echod
