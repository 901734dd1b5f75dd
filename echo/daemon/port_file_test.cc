// SPDX-License-Identifier: Apache-2.0

#include "echo/daemon/port_file.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "echo/base/unique_fd.h"
#include "gtest/gtest.h"

namespace echod {
namespace {

namespace fs = std::filesystem;

std::string ReadFile(const fs::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

class PortFileTest : public ::testing::Test {
 protected:
  PortFileTest()
      : directory_(
            fs::path(std::getenv("TEST_TMPDIR")) /
            ::testing::UnitTest::GetInstance()->current_test_info()->name()),
        path_((directory_ / "ports.json").string()) {
    fs::create_directories(directory_);
  }

  const fs::path directory_;
  const std::string path_;
};

TEST_F(PortFileTest, IsJsonOfTheDocumentedShape) {
  ASSERT_TRUE(WritePortFile(path_, {.listeners = {{"default", "127.0.0.1:1"},
                                                  {"other", "[::1]:2"}},
                                    .admin = "127.0.0.1:3"})
                  .ok());
  EXPECT_EQ(
      nlohmann::json::parse(ReadFile(path_)),
      (nlohmann::json{
          {"listeners", {{"default", "127.0.0.1:1"}, {"other", "[::1]:2"}}},
          {"admin", "127.0.0.1:3"}}));
}

TEST_F(PortFileTest, HasAnHttpAddressIfThereIsOne) {
  ASSERT_TRUE(WritePortFile(path_, {.admin = "a", .http = "b"}).ok());
  EXPECT_EQ(ReadFile(path_),
            "{\"listeners\":{},\"admin\":\"a\",\"http\":\"b\"}\n");
}

TEST_F(PortFileTest, ReplacesTheOneBeforeAndLeavesNothingBeside) {
  ASSERT_TRUE(WritePortFile(path_, {.admin = "old"}).ok());
  ASSERT_TRUE(WritePortFile(path_, {.admin = "new"}).ok());
  EXPECT_NE(ReadFile(path_).find("new"), std::string::npos);
  EXPECT_EQ(std::distance(fs::directory_iterator(directory_), {}), 1);
}

TEST_F(PortFileTest, SaysWhichFileCannotBeWritten) {
  const std::string nowhere = (directory_ / "no" / "ports.json").string();
  const absl::Status status = WritePortFile(nowhere, {});
  EXPECT_FALSE(status.ok());
  EXPECT_NE(status.message().find(nowhere), std::string::npos);
  EXPECT_NE(status.message().find("--port_file"), std::string::npos);
}

TEST_F(PortFileTest, FollowsSymbolicLinks) {
  // Through a folder of its own, and to a file that is not there yet.
  fs::create_directories(directory_ / "real");
  fs::create_symlink("real/ports.json", directory_ / "middle");
  fs::create_symlink(directory_ / "middle", path_);
  for (const char* admin : {"first", "second"}) {
    ASSERT_TRUE(WritePortFile(path_, {.admin = admin}).ok());
    EXPECT_TRUE(fs::is_symlink(path_));
    EXPECT_TRUE(fs::is_symlink(directory_ / "middle"));
    EXPECT_NE(ReadFile(directory_ / "real" / "ports.json").find(admin),
              std::string::npos);
  }
  EXPECT_EQ(std::distance(fs::directory_iterator(directory_ / "real"), {}), 1);
}

TEST_F(PortFileTest, ALinkToItselfIsAnError) {
  fs::create_symlink(path_, path_);
  EXPECT_FALSE(WritePortFile(path_, {}).ok());
}

TEST_F(PortFileTest, WritesIntoAFifoThatSomebodyReads) {
  ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);
  const absl::Status unread = WritePortFile(path_, {});
  EXPECT_FALSE(unread.ok());
  EXPECT_NE(unread.message().find("nothing reads it"), std::string::npos);

  const UniqueFd reader(open(path_.c_str(), O_RDONLY | O_NONBLOCK));
  ASSERT_TRUE(WritePortFile(path_, {.admin = "127.0.0.1:3"}).ok());
  char text[1000] = {};
  EXPECT_GT(read(reader.get(), text, sizeof text - 1), 0);
  EXPECT_EQ(nlohmann::json::parse(text)["admin"], "127.0.0.1:3");
  EXPECT_TRUE(fs::is_fifo(path_));

  // A reader that does not read blocks nothing.
  absl::Status full;
  for (int i = 0; i < 10'000 && full.ok(); ++i) full = WritePortFile(path_, {});
  EXPECT_NE(full.message().find("it is full"), std::string::npos);
}

TEST_F(PortFileTest, ADeviceStaysOne) {
  fs::create_symlink("/dev/null", path_);
  EXPECT_TRUE(WritePortFile(path_, {}).ok());
  EXPECT_TRUE(fs::is_character_file("/dev/null"));
  EXPECT_TRUE(fs::is_symlink(path_));
  EXPECT_FALSE(WritePortFile("/dev/full", {}).ok());
  EXPECT_TRUE(fs::is_character_file("/dev/full"));
}

TEST_F(PortFileTest, WritesIntoAnOpenDescriptor) {
  const UniqueFd file(open(path_.c_str(), O_WRONLY | O_CREAT, 0600));
  ASSERT_EQ(write(file.get(), "# ports\n", 8), 8);
  ASSERT_TRUE(
      WritePortFile(absl::StrCat("/dev/fd/", file.get()), {.admin = "a"}).ok());
  EXPECT_EQ(ReadFile(path_), "# ports\n{\"listeners\":{},\"admin\":\"a\"}\n");
}

TEST_F(PortFileTest, WhatCannotBeAFileIsAnError) {
  const absl::Status folder = WritePortFile(directory_.string(), {});
  EXPECT_NE(folder.message().find("it is a directory"), std::string::npos);
  EXPECT_TRUE(fs::is_directory(directory_));

  sockaddr_un address = {.sun_family = AF_UNIX};
  const std::string name =
      absl::StrCat("/tmp/port_file_test.", getpid(), ".socket");
  name.copy(address.sun_path, sizeof address.sun_path - 1);
  const UniqueFd listener(socket(AF_UNIX, SOCK_STREAM, 0));
  ASSERT_EQ(bind(listener.get(), reinterpret_cast<sockaddr*>(&address),
                 sizeof address),
            0);
  const absl::Status socket = WritePortFile(name, {});
  EXPECT_NE(socket.message().find("it is a socket"), std::string::npos);
  EXPECT_TRUE(fs::is_socket(name));
  unlink(name.c_str());
}

// Left by a run that was killed, or by another container's process of this pid.
TEST_F(PortFileTest, ANameThatIsTakenBesideItIsNoObstacle) {
  const std::string beside = absl::StrCat(path_, ".", getpid(), ".0.tmp");
  fs::create_symlink(directory_ / "elsewhere", beside);
  EXPECT_TRUE(WritePortFile(path_, {}).ok());
  EXPECT_FALSE(fs::exists(directory_ / "elsewhere"));
  EXPECT_TRUE(fs::is_symlink(beside));
}

TEST_F(PortFileTest, KeepsToTheUmask) {
  const mode_t before = umask(027);
  EXPECT_TRUE(WritePortFile(path_, {}).ok());
  umask(before);
  EXPECT_EQ(fs::status(path_).permissions(), fs::perms(0640));
}

}  // namespace
}  // namespace echod
