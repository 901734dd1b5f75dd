// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_BASE_CPU_COUNT_H_
#define ECHO_BASE_CPU_COUNT_H_

#include <string>

namespace echod {

// The number of CPUs that this process may use, at least 1: those in its
// affinity mask, or fewer if the quota of a cgroup (version 1 or 2) is lower. A
// quota of 1.5 CPUs counts as two. `proc` and `cgroup` are the roots of those
// file systems; tests pass their own.
int UsableCpus(const std::string& proc = "/proc",
               const std::string& cgroup = "/sys/fs/cgroup");

}  // namespace echod

#endif  // ECHO_BASE_CPU_COUNT_H_
