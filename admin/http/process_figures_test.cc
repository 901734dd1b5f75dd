// SPDX-License-Identifier: Apache-2.0

#include "admin/http/process_figures.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <cstdint>
#include <optional>
#include <thread>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "echo/base/unique_fd.h"
#include "gtest/gtest.h"

namespace echod {
namespace {

TEST(ProcessFiguresTest, FollowTheProcess) {
  // Which /proc/self/stat shows.
  ASSERT_EQ(prctl(PR_SET_NAME, ") 1 2 (3"), 0);
  ProcessFigureReader reader;
  const ProcessFigures before = reader.Read();
  EXPECT_EQ(before.threads, 1);
  EXPECT_LT(*before.start_time, absl::Now());
  EXPECT_GT(*before.start_time, absl::Now() - absl::Minutes(10));
  EXPECT_GT(*before.resident_memory_bytes, 100'000);
  EXPECT_GT(*before.virtual_memory_bytes, *before.resident_memory_bytes);

  std::optional<ProcessFigures> after;
  const UniqueFd more(open("/dev/null", O_RDONLY | O_CLOEXEC));
  const std::vector<char> memory(50'000'000, 'x');
  std::thread([&] { after = reader.Read(); }).join();
  EXPECT_GE(*after->threads, *before.threads + 1);  // TSan has its own
  EXPECT_EQ(after->open_descriptors, *before.open_descriptors + 1);
  EXPECT_GT(*after->resident_memory_bytes,
            *before.resident_memory_bytes + 40'000'000);
  EXPECT_EQ(after->start_time, before.start_time);
  EXPECT_GE(after->cpu_time, before.cpu_time);
  rlimit limit = {};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  EXPECT_EQ(after->max_descriptors, static_cast<std::int64_t>(limit.rlim_cur));
}

TEST(ProcessFiguresTest, CanBeReadWithoutAFreeDescriptor) {
  ProcessFigureReader reader;
  const ProcessFigures before = reader.Read();
  rlimit limit = {};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  const rlimit none = {.rlim_cur = 3, .rlim_max = limit.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  ASSERT_EQ(open("/dev/null", O_RDONLY | O_CLOEXEC), -1);
  const ProcessFigures figures = reader.Read();
  EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
  EXPECT_EQ(figures.open_descriptors, before.open_descriptors);
  EXPECT_TRUE(figures.resident_memory_bytes.has_value());
  EXPECT_EQ(figures.max_descriptors, 3);
}

}  // namespace
}  // namespace echod
