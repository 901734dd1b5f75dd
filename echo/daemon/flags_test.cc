// SPDX-License-Identifier: Apache-2.0

#include "echo/daemon/flags.h"

#include <cstddef>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "echo/base/command_line.h"
#include "echo/control/echo_mode.h"
#include "echo/control/listener_settings.h"
#include "echo/control/settings_table.h"
#include "gtest/gtest.h"

namespace echod {
namespace {

// Sets flags of the settings table, as the command line does.
absl::Status Set(const std::map<std::string, std::string>& values,
                 ListenerSettings& settings) {
  absl::Status status;
  for (const ProgramFlag& flag : SettingFlags(settings)) {
    const auto value = values.find(flag.name);
    if (value != values.end()) status.Update(flag.set(value->second));
  }
  return status;
}

std::string Problem(const std::string& flag, const std::string& text) {
  ListenerSettings settings;
  return std::string(Set({{flag, text}}, settings).message());
}

TEST(FlagsTest, SetSettingsOfEveryKind) {
  ListenerSettings settings;
  ASSERT_TRUE(Set({{"mode", "raw"},
                   {"max_connections", "7"},
                   {"idle_timeout", "1m30s"},
                   {"backlog", "9"}},
                  settings)
                  .ok());
  EXPECT_EQ(settings, (ListenerSettings{.mode = EchoMode::kRaw,
                                        .max_connections = 7,
                                        .idle_timeout = absl::Seconds(90),
                                        .backlog = 9}));
}

TEST(FlagsTest, SayWhatMayBeWritten) {
  EXPECT_EQ(Problem("mode", "loud"), "choose line or raw");
  EXPECT_EQ(Problem("max_connections", "many"),
            "write a whole number below 2^63");
  EXPECT_EQ(Problem("backlog", "3000000000"),
            "write a whole number below 2147483648");
  EXPECT_EQ(Problem("idle_timeout", "5"),
            "write a number and its unit, such as 30s or 5m");
}

TEST(FlagsTest, ASettingOutOfBoundsIsABadFlag) {
  EXPECT_EQ(
      ConfigFromFlags({.idle_timeout = absl::Hours(9000)}).status().message(),
      "flag --idle_timeout: 9000h is out of bounds; idle_timeout ranges "
      "from 0 (never) to 8760h");
  EXPECT_EQ(
      ConfigFromFlags({.backlog = 0}).status().message(),
      "flag --backlog: 0 is out of bounds; backlog ranges from 1 to 65535");
}

TEST(FlagsTest, TheConfigurationHasEveryFlag) {
  const absl::StatusOr<DaemonConfig> config =
      ConfigFromFlags({.mode = EchoMode::kRaw, .backlog = 9});
  ASSERT_TRUE(config.ok()) << config.status();
  ASSERT_EQ(config->listeners.size(), 1u);
  EXPECT_EQ(config->listeners[0].settings.backlog, 9);
  EXPECT_EQ(config->flags.at("mode"), "raw");
  EXPECT_EQ(config->flags.at("backlog"), "9");
  EXPECT_EQ(config->flags.at("max_line_bytes"), "65536");
  EXPECT_EQ(config->flags.at("drain_timeout"), "30s");
}

class ListenFlagTest : public ::testing::Test {
 protected:
  static absl::StatusOr<DaemonConfig> Listen(const std::string& text) {
    const ProgramFlag flag =
        FlagsOf({.name = "", .flags_file = kFlagsFile}).at("listen");
    const absl::Status set = flag.set(text);
    if (!set.ok()) return set;
    absl::StatusOr<DaemonConfig> config = ConfigFromFlags({.backlog = 9});
    flag.set(flag.default_value).IgnoreError();
    return config;
  }
};

TEST_F(ListenFlagTest, NamesListeners) {
  const absl::StatusOr<DaemonConfig> config =
      Listen("blue=127.0.0.1:1,[::1]:2,g-2=:3");
  ASSERT_TRUE(config.ok()) << config.status();
  ASSERT_EQ(config->listeners.size(), 3u);
  const std::vector<std::string> names = {"blue", "default", "g-2"};
  const std::vector<std::string> addresses = {"127.0.0.1", "::1", "::"};
  for (std::size_t i = 0; i < names.size(); ++i) {
    EXPECT_EQ(config->listeners[i].id, names[i]);
    EXPECT_EQ(config->listeners[i].address, addresses[i]);
    EXPECT_EQ(config->listeners[i].port, static_cast<int>(i + 1));
    EXPECT_EQ(config->listeners[i].settings.backlog, 9);
  }
}

TEST_F(ListenFlagTest, SaysWhatIsWrong) {
  const auto problem = [](const std::string& text) {
    return std::string(Listen(text).status().message());
  };
  EXPECT_EQ(problem(":1,:2"),
            "flag --listen: two listeners are named default; give each its own "
            "name, as name=address:port");
  EXPECT_EQ(problem("a=:1,a=:2"),
            "flag --listen: two listeners are named a; give each its own name, "
            "as name=address:port");
  EXPECT_TRUE(absl::StrContains(problem("Blue=:1"), "the name in 'Blue=:1': "))
      << problem("Blue=:1");
  EXPECT_TRUE(absl::StrContains(problem("=:1"), "the name in '=:1': "));
  EXPECT_TRUE(absl::StrContains(problem("a=:1,"), "'' has no port"));
  EXPECT_TRUE(absl::StrContains(problem(""), "write one, such as [::]:8080"));
  std::string many = ":0";
  for (int i = 0; i < 128; ++i) absl::StrAppend(&many, ",n", i, "=:0");
  EXPECT_TRUE(absl::StrContains(problem(many), "there can be 128 listeners"));
}

// A row of the README's table of flags.
struct ReadmeRow {
  std::string default_value;
  std::string text;
};

std::map<std::string, ReadmeRow> ReadmeTable() {
  std::map<std::string, ReadmeRow> rows;
  std::ifstream readme("README.md");
  for (std::string line; std::getline(readme, line);) {
    if (!absl::StartsWith(line, "| `--")) continue;
    const std::vector<std::string> cells =
        absl::StrSplit(absl::StrReplaceAll(line, {{"`", ""}}), '|');
    const auto cell = [&](std::size_t i) {
      return std::string(absl::StripAsciiWhitespace(cells.at(i)));
    };
    rows[cell(1).substr(2)] = {.default_value = cell(2), .text = cell(3)};
  }
  return rows;
}

TEST(FlagsTest, TheReadmeHasEveryFlagWithItsDefault) {
  const absl::StatusOr<DaemonConfig> config = ConfigFromFlags({});
  ASSERT_TRUE(config.ok()) << config.status();
  const std::map<std::string, ReadmeRow> readme = ReadmeTable();
  for (const auto& [name, value] : config->flags) {
    const auto row = readme.find(name);
    if (row == readme.end()) {
      ADD_FAILURE() << "README.md has no row for --" << name;
      continue;
    }
    EXPECT_EQ(row->second.default_value, value) << name;
  }
  for (const auto& [name, row] : readme) {
    EXPECT_EQ(config->flags.count(name), 1u)
        << "README.md has a row for --" << name << ", which is no flag";
  }
}

TEST(FlagsTest, TheReadmeSaysWhatZeroStandsFor) {
  std::map<std::string, ReadmeRow> readme = ReadmeTable();
  for (const Setting& setting : SettingsTable()) {
    if (setting.zero.empty()) continue;
    const std::string name(setting.name);
    EXPECT_TRUE(
        absl::StrContains(readme[name].text, absl::StrCat("0: ", setting.zero)))
        << name << ": " << readme[name].text;
  }
}

}  // namespace
}  // namespace echod
