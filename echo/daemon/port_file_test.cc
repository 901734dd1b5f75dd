#include "echo/daemon/port_file.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/status/status.h"
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

TEST_F(PortFileTest, RemovesAnEarlierOne) {
  EXPECT_TRUE(RemovePortFile(path_).ok());
  ASSERT_TRUE(WritePortFile(path_, {.admin = "old"}).ok());
  EXPECT_TRUE(RemovePortFile(path_).ok());
  EXPECT_FALSE(fs::exists(path_));
  EXPECT_FALSE(RemovePortFile(directory_.string()).ok());
}

}  // namespace
}  // namespace echod
