// SPDX-License-Identifier: Apache-2.0

#include "echo/base/thread_limit.h"

#include <pthread.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <fstream>
#include <thread>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "tests/support/refused_system_call.h"

namespace echod {
namespace {

TEST(ThreadLimitTest, ThreadsThatCanBeHadAreFine) {
  EXPECT_TRUE(CheckThreads(0).ok());
  EXPECT_TRUE(CheckThreads(20).ok());
}

TEST(ThreadLimitTest, ThreadsThatCannotBeHadAreAnErrorThatNamesTheLimit) {
  absl::Status status;
  bool refused = false;
  std::thread([&] {
    // The C library tries clone3, and falls back to clone.
    refused = testing::RefuseSystemCall(SYS_clone3, EAGAIN);
    status = CheckThreads(20);
  }).join();
  if (!refused) GTEST_SKIP() << "this machine does not permit seccomp filters";
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_NE(status.message().find("ulimit -u"), absl::string_view::npos)
      << status;
}

// Limits the process's address space to its current size plus this many bytes.
void LimitAddressSpace(std::size_t more) {
  std::size_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  const rlim_t most = pages * static_cast<std::size_t>(getpagesize()) + more;
  const rlimit limit = {.rlim_cur = most, .rlim_max = most};
  setrlimit(RLIMIT_AS, &limit);
}

// The stacks fit, but the allocator's reservations do not.
TEST(ThreadLimitTest, ThreadsTakeWhatTheAllocatorReservesForThem) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers need more address space than the limit leaves";
#endif
  GTEST_FLAG_SET(death_test_style, "threadsafe");  // with a new allocator
  constexpr int kThreads = 20;
  constexpr std::size_t kMore = 32 << 20;
  pthread_attr_t attributes;
  pthread_getattr_default_np(&attributes);
  std::size_t stack = 0;
  pthread_attr_getstacksize(&attributes, &stack);
  EXPECT_EXIT(
      {
        LimitAddressSpace(kThreads * stack + kMore);
        _exit(CheckThreads(kThreads).ok() ? 0 : 2);
      },
      ::testing::ExitedWithCode(2), "");
}

}  // namespace
}  // namespace echod
