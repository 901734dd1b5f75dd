// SPDX-License-Identifier: Apache-2.0

#include "echo/base/cpu_count.h"

#include <sched.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "gtest/gtest.h"

namespace echod {
namespace {

namespace fs = std::filesystem;

int Affinity() {
  cpu_set_t set;
  sched_getaffinity(0, sizeof set, &set);
  return CPU_COUNT(&set);
}

// File systems with made-up content.
class CpuCountTest : public ::testing::Test {
 protected:
  CpuCountTest()
      : root_(fs::path(std::getenv("TEST_TMPDIR")) /
              ::testing::UnitTest::GetInstance()->current_test_info()->name()) {
    Write("proc/self/cgroup", "");
  }

  void Write(const std::string& path, const std::string& text) {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }

  int Cpus() const {
    return UsableCpus((root_ / "proc").string(), (root_ / "cgroup").string());
  }

  const fs::path root_;
};

TEST_F(CpuCountTest, WithoutAQuotaItIsTheAffinity) {
  EXPECT_EQ(Cpus(), Affinity());
  Write("proc/self/cgroup", "0::/\n");
  Write("cgroup/cpu.max", "max 100000\n");
  EXPECT_EQ(Cpus(), Affinity());
}

TEST_F(CpuCountTest, AQuotaOfHalfACpuIsOne) {
  Write("proc/self/cgroup", "0::/\n");
  Write("cgroup/cpu.max", "50000 100000\n");
  EXPECT_EQ(Cpus(), 1);
}

TEST_F(CpuCountTest, AQuotaAboveTheAffinityChangesNothing) {
  Write("proc/self/cgroup", "0::/\n");
  Write("cgroup/cpu.max", "99900000 100000\n");
  EXPECT_EQ(Cpus(), Affinity());
}

TEST_F(CpuCountTest, AParentsQuotaCountsToo) {
  Write("proc/self/cgroup", "0::/pod/container\n");
  Write("cgroup/pod/cpu.max", "100000 100000\n");
  Write("cgroup/pod/container/cpu.max", "max 100000\n");
  EXPECT_EQ(Cpus(), 1);
}

TEST_F(CpuCountTest, InAContainerThePathMayNotExist) {
  Write("proc/self/cgroup", "0::/../../somewhere\n");
  Write("cgroup/cpu.max", "100000 100000\n");
  EXPECT_EQ(Cpus(), 1);
}

TEST_F(CpuCountTest, ReadsVersionOne) {
  Write("proc/self/cgroup", "7:memory:/a\n4:cpu,cpuacct:/a\n");
  Write("cgroup/cpu,cpuacct/a/cpu.cfs_quota_us", "100000\n");
  Write("cgroup/cpu,cpuacct/a/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(Cpus(), 1);
  Write("cgroup/cpu,cpuacct/a/cpu.cfs_quota_us", "-1\n");
  EXPECT_EQ(Cpus(), Affinity());
}

TEST_F(CpuCountTest, RoundsUp) {
  if (Affinity() < 2) GTEST_SKIP() << "needs two CPUs";
  Write("proc/self/cgroup", "0::/\n");
  Write("cgroup/cpu.max", "110000 100000\n");
  EXPECT_EQ(Cpus(), 2);
}

TEST_F(CpuCountTest, NonsenseIsNoQuota) {
  Write("proc/self/cgroup", "0::/\nnonsense\n");
  for (const char* text : {"", "a b\n", "0 100000\n", "100 0\n", "100\n"}) {
    Write("cgroup/cpu.max", text);
    EXPECT_EQ(Cpus(), Affinity()) << text;
  }
}

}  // namespace
}  // namespace echod
