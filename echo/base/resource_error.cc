// SPDX-License-Identifier: Apache-2.0

#include "echo/base/resource_error.h"

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace echod {
namespace {

absl::string_view Advice(int error) {
  switch (error) {
    case EMFILE:
      return "raise the limit of file descriptors (`ulimit -n`)";
    case ENFILE:
      return "the whole system is out of file descriptors; raise "
             "`fs.file-max`";
    case ENOSPC:
      return "this user's epoll watches are exhausted; raise "
             "`fs.epoll.max_user_watches`, or end what holds them";
    case EAGAIN:
      return "raise the limit of processes and threads (`ulimit -u`, or "
             "pids.max of the cgroup), or of address space (`ulimit -v`)";
    case ENOMEM:
    case ENOBUFS:
      return "no memory is left; raise the memory limit";
    default:
      return "a limit or a policy of the system forbids it";
  }
}

}  // namespace

absl::Status ResourceError(absl::string_view attempt, int error) {
  return absl::ResourceExhaustedError(absl::StrCat(
      "cannot ", attempt, ": ", std::strerror(error), "; ", Advice(error)));
}

}  // namespace echod
