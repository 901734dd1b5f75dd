#include "echo/base/standard_streams.h"

#include <fcntl.h>
#include <unistd.h>

namespace echod {

void OpenStandardStreams() {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
    if (fcntl(fd, F_GETFD) >= 0) continue;
    // The lowest free number is `fd`. Where there is no /dev/null, something
    // that cannot be written keeps the number taken.
    if (open("/dev/null", O_RDWR) < 0) open("/", O_PATH);
  }
}

}  // namespace echod
