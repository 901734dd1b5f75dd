// SPDX-License-Identifier: Apache-2.0

#include "echo/base/unique_fd.h"

#include <fcntl.h>

#include <utility>

#include "gtest/gtest.h"

namespace echod {
namespace {

int OpenNull() { return open("/dev/null", O_RDONLY | O_CLOEXEC); }
bool IsOpen(int fd) { return fcntl(fd, F_GETFD) >= 0; }

TEST(UniqueFdTest, ClosesOnceAndGivesUp) {
  const int raw = OpenNull();
  {
    UniqueFd fd(raw);
    const UniqueFd moved = std::move(fd);
    EXPECT_TRUE(IsOpen(raw));
  }
  EXPECT_FALSE(IsOpen(raw));

  UniqueFd first(OpenNull());
  const int replaced = first.get();
  UniqueFd second(OpenNull());
  const int kept = second.get();
  first = std::move(second);
  EXPECT_FALSE(IsOpen(replaced));
  EXPECT_EQ(first.get(), kept);
  EXPECT_EQ(first.Release(), kept);
  EXPECT_FALSE(first.valid());
  EXPECT_TRUE(IsOpen(kept));
  close(kept);
}

}  // namespace
}  // namespace echod
