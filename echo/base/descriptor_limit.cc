#include "echo/base/descriptor_limit.h"

#include <fcntl.h>
#include <sys/resource.h>

#include <algorithm>
#include <limits>

namespace echod {

std::uint64_t RaiseDescriptorLimit() {
  rlimit limit = {};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
    return std::numeric_limits<std::uint64_t>::max();
  }
  const rlimit raised = {.rlim_cur = limit.rlim_max,
                         .rlim_max = limit.rlim_max};
  return setrlimit(RLIMIT_NOFILE, &raised) == 0 ? raised.rlim_cur
                                                : limit.rlim_cur;
}

std::uint64_t CountFreeDescriptors(std::uint64_t limit, std::uint64_t enough) {
  const int end = static_cast<int>(
      std::min<std::uint64_t>(limit, std::numeric_limits<int>::max()));
  std::uint64_t unused = 0;
  for (int fd = 0; fd < end && unused < enough; ++fd) {
    if (fcntl(fd, F_GETFD) < 0) ++unused;
  }
  return unused;
}

}  // namespace echod
