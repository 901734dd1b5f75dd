// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_BASE_CPU_COUNT_H_
#define ECHO_BASE_CPU_COUNT_H_

#include <string>

namespace echod {

// How many CPUs this process may really use, at least 1: those of its affinity
// mask, or fewer where a cgroup (version 1 or 2) grants less time. A quota of
// one and a half CPUs counts as two. `proc` and `cgroup` are the roots of those
// file systems; tests name their own.
int UsableCpus(const std::string& proc = "/proc",
               const std::string& cgroup = "/sys/fs/cgroup");

}  // namespace echod

#endif  // ECHO_BASE_CPU_COUNT_H_
