#include "echo/base/thread_limit.h"

#include <sys/syscall.h>

#include <cerrno>
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
    // The C library tries clone3, and clone where there is none.
    refused = testing::RefuseSystemCall(SYS_clone3, EAGAIN);
    status = CheckThreads(20);
  }).join();
  if (!refused) GTEST_SKIP() << "this machine allows no seccomp filter";
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_NE(status.message().find("ulimit -u"), absl::string_view::npos)
      << status;
}

}  // namespace
}  // namespace echod
