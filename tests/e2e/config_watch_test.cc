// SPDX-License-Identifier: Apache-2.0

// Reloads of the configuration file when it changes, with --watch_config.

#include <filesystem>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/e2e/reloaded_server.h"

namespace echod::e2e {
namespace {

class ConfigWatchTest : public ReloadedServerTest {};

TEST_F(ConfigWatchTest, ReloadsWhenTheFileChanges) {
  WriteListeners({kDefault});
  Start({"--watch_config"});
  WriteListeners({kDefault, "{name: second, address: 127.0.0.1, port: 0}"});
  ASSERT_TRUE(WaitForReload(0));
  EXPECT_EQ(Listeners().size(), 2u);
  // Gone: nothing changes.
  std::filesystem::remove(file_);
  ASSERT_TRUE(WaitForReload(1));
  EXPECT_EQ(Reloads("failure"), 1);
  EXPECT_EQ(Listeners().size(), 2u);
  // And there again, by a rename.
  WriteTo(file_ + ".new",
          absl::StrCat("workers: 2\nlisteners: [", kDefault, "]\n"));
  std::filesystem::rename(file_ + ".new", file_);
  ASSERT_TRUE(WaitForReload(2));
  EXPECT_EQ(Reloads("failure"), 1);
  EXPECT_EQ(Listeners().size(), 1u);
}

// As the kubelet does it: the file is a link into a folder which a link names
// that is replaced.
TEST_F(ConfigWatchTest, ReloadsWhenAConfigMapChanges) {
  const auto publish = [&](const std::string& version,
                           const std::string& listeners) {
    std::filesystem::create_directory(folder_ + "/.." + version);
    WriteTo(absl::StrCat(folder_, "/..", version, "/echod.yaml"),
            absl::StrCat("workers: 2\nlisteners: [", listeners, "]\n"));
    std::filesystem::create_symlink(".." + version, folder_ + "/..data_tmp");
    std::filesystem::rename(folder_ + "/..data_tmp", folder_ + "/..data");
  };
  publish("2026_1", kDefault);
  std::filesystem::create_symlink("..data/echod.yaml", file_);
  Start({"--watch_config"});
  publish(
      "2026_2",
      absl::StrCat(kDefault, ", {name: second, address: 127.0.0.1, port: 0}"));
  std::filesystem::remove_all(folder_ + "/..2026_1");
  ASSERT_TRUE(WaitForReload(0));
  EXPECT_EQ(Reloads("failure"), 0);
  EXPECT_EQ(Listeners().size(), 2u);
}

}  // namespace
}  // namespace echod::e2e
