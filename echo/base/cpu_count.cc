// SPDX-License-Identifier: Apache-2.0

#include "echo/base/cpu_count.h"

#include <sched.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"

namespace echod {
namespace {

constexpr double kNoQuota = std::numeric_limits<double>::infinity();

std::string FirstLine(const std::string& path) {
  std::string line;
  std::ifstream file(path);
  std::getline(file, line);
  return line;
}

// cpu.max: `max 100000`, or `150000 100000`: µs of CPU time per period.
double QuotaV2(const std::string& directory) {
  const std::vector<std::string> words =
      absl::StrSplit(FirstLine(directory + "/cpu.max"), ' ');
  double quota = 0;
  double period = 0;
  if (words.size() != 2 || !absl::SimpleAtod(words[0], &quota) ||
      !absl::SimpleAtod(words[1], &period) || period <= 0 || quota <= 0 ||
      std::isinf(quota)) {
    return kNoQuota;
  }
  return quota / period;
}

double QuotaV1(const std::string& directory) {
  double quota = 0;
  double period = 0;
  if (!absl::SimpleAtod(FirstLine(directory + "/cpu.cfs_quota_us"), &quota) ||
      !absl::SimpleAtod(FirstLine(directory + "/cpu.cfs_period_us"), &period) ||
      period <= 0 || quota <= 0) {
    return kNoQuota;
  }
  return quota / period;
}

// The lowest quota between the root and the process's cgroup. Inside a
// container, that path often refers to the host's tree, which is not visible;
// the root is checked in any case.
template <typename Quota>
double LeastQuota(const std::string& root, std::string path, Quota quota) {
  double least = quota(root);
  while (!path.empty() && path != "/") {
    least = std::min(least, quota(root + path));
    path.resize(path.rfind('/'));
  }
  return least;
}

double CgroupQuota(const std::string& proc, const std::string& cgroup) {
  double least = kNoQuota;
  std::ifstream file(proc + "/self/cgroup");
  std::string line;
  while (std::getline(file, line)) {  // id:controllers:path
    const std::vector<std::string> parts =
        absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (parts.size() != 3 || !absl::StartsWith(parts[2], "/")) continue;
    if (parts[1].empty()) {
      least = std::min(least, LeastQuota(cgroup, parts[2], QuotaV2));
      continue;
    }
    for (absl::string_view controller : absl::StrSplit(parts[1], ',')) {
      if (controller != "cpu") continue;
      for (const std::string& mount : {absl::StrCat(cgroup, "/cpu"),
                                       absl::StrCat(cgroup, "/", parts[1])}) {
        least = std::min(least, LeastQuota(mount, parts[2], QuotaV1));
      }
    }
  }
  return least;
}

int AffinityCpus() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
  return static_cast<int>(std::thread::hardware_concurrency());
}

}  // namespace

int UsableCpus(const std::string& proc, const std::string& cgroup) {
  int cpus = AffinityCpus();
  const double quota = CgroupQuota(proc, cgroup);
  if (quota < cpus) cpus = static_cast<int>(std::ceil(quota));
  return std::max(cpus, 1);
}

}  // namespace echod
