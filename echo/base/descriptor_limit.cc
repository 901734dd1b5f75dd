// SPDX-License-Identifier: Apache-2.0

#include "echo/base/descriptor_limit.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <limits>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "echo/base/resource_error.h"
#include "echo/base/unique_fd.h"

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

absl::Status CheckDescriptors(int count, absl::string_view purpose) {
  std::vector<UniqueFd> opened;
  opened.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) {
    UniqueFd fd(fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0));
    if (!fd.valid()) {
      return ResourceError(
          absl::StrCat("open ", count, " more file descriptors for ", purpose),
          errno);
    }
    opened.push_back(std::move(fd));
  }
  return absl::OkStatus();
}

}  // namespace echod
