// SPDX-License-Identifier: Apache-2.0

#include "echo/net/socket_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cerrno>
#include <filesystem>
#include <string>
#include <utility>

#include "echo/base/unique_fd.h"
#include "gtest/gtest.h"
#include "tests/support/short_folder.h"

namespace echod {
namespace {

namespace fs = std::filesystem;

class SocketFileTest : public ::testing::Test {
 protected:
  static UniqueFd NewSocket() {
    return UniqueFd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  }

  // Leaves the file of a socket that is closed.
  void MakeStale() {
    const UniqueFd other = NewSocket();
    SocketFile file;
    ASSERT_EQ(SocketFile::Bind(other.get(), folder_.At("other"), file), 0);
    fs::rename(folder_.At("other"), path_);  // so that it is not removed
  }

  const testing::ShortFolder folder_;
  const std::string path_ = folder_.At("s");
  UniqueFd socket_ = NewSocket();
  SocketFile file_;
};

TEST_F(SocketFileTest, IsThereUntilTheEndForAllThatTheUmaskAllows) {
  const mode_t before = umask(S_IWOTH);
  ASSERT_EQ(SocketFile::Bind(socket_.get(), path_, file_), 0);
  umask(before);
  struct stat status = {};
  ASSERT_EQ(lstat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0664u);
  { const SocketFile moved = std::move(file_); }
  EXPECT_FALSE(fs::exists(path_));
}

TEST_F(SocketFileTest, ReplacesAFileThatWasLeft) {
  MakeStale();
  ASSERT_TRUE(fs::exists(path_));
  EXPECT_EQ(SocketFile::Check(path_), 0);
  EXPECT_TRUE(fs::exists(path_)) << "a check changes nothing";
  EXPECT_EQ(SocketFile::Bind(socket_.get(), path_, file_), 0);
}

TEST_F(SocketFileTest, LeavesTheFileOfABoundSocketAlone) {
  ASSERT_EQ(SocketFile::Bind(socket_.get(), path_, file_), 0);
  for (const bool listens : {false, true}) {
    if (listens) {
      ASSERT_EQ(listen(socket_.get(), 1), 0);
    }
    EXPECT_EQ(SocketFile::Check(path_), EADDRINUSE);
    SocketFile other;
    EXPECT_EQ(SocketFile::Bind(NewSocket().get(), path_, other), EADDRINUSE);
  }
  fcntl(socket_.get(), F_SETFL, O_NONBLOCK);
  EXPECT_LT(accept(socket_.get(), nullptr, nullptr), 0)
      << "it has not noticed the checks";
}

TEST_F(SocketFileTest, ReplacesNothingWhileAnotherProcessDoes) {
  MakeStale();
  const UniqueFd lock(open(folder_.path().c_str(), O_RDONLY | O_DIRECTORY));
  ASSERT_EQ(flock(lock.get(), LOCK_EX), 0);
  EXPECT_EQ(SocketFile::Bind(socket_.get(), path_, file_), EADDRINUSE);
  EXPECT_TRUE(fs::exists(path_));
}

TEST_F(SocketFileTest, LeavesWhatIsNoSocketAlone) {
  const UniqueFd file(open(path_.c_str(), O_CREAT | O_WRONLY, 0600));
  EXPECT_EQ(SocketFile::Check(path_), EADDRINUSE);
  EXPECT_EQ(SocketFile::Bind(socket_.get(), path_, file_), EADDRINUSE);
  EXPECT_TRUE(fs::is_regular_file(path_));
}

TEST_F(SocketFileTest, LeavesTheFileOfItsSuccessorAlone) {
  ASSERT_EQ(SocketFile::Bind(socket_.get(), path_, file_), 0);
  fs::remove(path_);
  const UniqueFd next = NewSocket();
  SocketFile file;
  ASSERT_EQ(SocketFile::Bind(next.get(), path_, file), 0);
  file_.Remove();
  EXPECT_TRUE(fs::exists(path_));
}

TEST_F(SocketFileTest, TellsThatTheDirectoryIsMissing) {
  const std::string path = folder_.At("missing/s");
  EXPECT_EQ(SocketFile::Check(path), ENOENT);
  EXPECT_EQ(SocketFile::Bind(socket_.get(), path, file_), ENOENT);
}

}  // namespace
}  // namespace echod
