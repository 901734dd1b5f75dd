// SPDX-License-Identifier: Apache-2.0

#include "admin/http/process_figures.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <ctime>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace echod {
namespace {

// Fields of /proc/self/stat after the command's name; see proc(5), which counts
// from 1 and has the name second.
constexpr std::size_t kThreads = 20 - 3;
constexpr std::size_t kStartTime = 22 - 3;
constexpr std::size_t kVirtualSize = 23 - 3;
constexpr std::size_t kResidentPages = 24 - 3;

absl::Time StartTime(std::int64_t ticks_after_boot) {
  timespec since_boot = {};
  clock_gettime(CLOCK_BOOTTIME, &since_boot);
  const absl::Duration age =
      absl::DurationFromTimespec(since_boot) -
      absl::Seconds(ticks_after_boot) / sysconf(_SC_CLK_TCK);
  return absl::Now() - age;
}

void ReadStat(int stat, ProcessFigures& figures) {
  char text[1024];
  const ssize_t size = pread(stat, text, sizeof text, 0);
  if (size <= 0) return;
  const absl::string_view line(text, static_cast<std::size_t>(size));
  // The name may contain anything, parentheses included.
  const std::size_t name_end = line.rfind(')');
  if (name_end == absl::string_view::npos) return;
  const std::vector<absl::string_view> fields =
      absl::StrSplit(line.substr(name_end + 1), ' ', absl::SkipEmpty());
  const auto field = [&](std::size_t index) -> std::optional<std::int64_t> {
    std::int64_t value = 0;
    if (index >= fields.size() || !absl::SimpleAtoi(fields[index], &value)) {
      return std::nullopt;
    }
    return value;
  };
  figures.threads = field(kThreads);
  figures.virtual_memory_bytes = field(kVirtualSize);
  if (const auto pages = field(kResidentPages); pages.has_value()) {
    figures.resident_memory_bytes = *pages * sysconf(_SC_PAGESIZE);
  }
  if (const auto ticks = field(kStartTime); ticks.has_value()) {
    figures.start_time = StartTime(*ticks);
  }
}

// nullopt: unknown.
std::optional<absl::Time> ReadStartTime(int stat) {
  ProcessFigures figures;
  if (stat >= 0) ReadStat(stat, figures);
  return figures.start_time;
}

}  // namespace

ProcessFigureReader::ProcessFigureReader()
    : stat_(open("/proc/self/stat", O_RDONLY | O_CLOEXEC)),
      start_time_(ReadStartTime(stat_.get())),
      descriptors_(opendir("/proc/self/fd")) {}

ProcessFigures ProcessFigureReader::Read() {
  ProcessFigures figures;
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  figures.cpu_time = absl::DurationFromTimeval(usage.ru_utime) +
                     absl::DurationFromTimeval(usage.ru_stime);
  if (stat_.valid()) ReadStat(stat_.get(), figures);
  figures.start_time = start_time_;
  if (descriptors_ != nullptr) {
    rewinddir(descriptors_.get());
    std::int64_t count = 0;
    while (const dirent* const entry = readdir(descriptors_.get())) {
      if (entry->d_name[0] != '.') ++count;
    }
    figures.open_descriptors = count;
  }
  rlimit limit = {};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    figures.max_descriptors = static_cast<std::int64_t>(limit.rlim_cur);
  }
  return figures;
}

}  // namespace echod
