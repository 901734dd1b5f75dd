// SPDX-License-Identifier: Apache-2.0

#include "echo/config/config_file.h"

#include <sys/stat.h>

#include <cstdlib>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "echo/config/config_problem.h"
#include "echo/config/yaml_node.h"
#include "echo/control/echo_mode.h"
#include "echo/control/settings_table.h"
#include "gtest/gtest.h"

namespace echod {
namespace {

const std::vector<std::string>& FlagNames() {
  static const auto* const names =
      new std::vector<std::string>{"workers", "listen", "mode", "log_level"};
  return *names;
}

ConfigFile Parse(const std::string& text) {
  std::vector<ConfigProblem> problems;
  ConfigFile file = ParseConfigFile(text, FlagNames(), problems);
  EXPECT_TRUE(problems.empty()) << ProblemsText("f", problems);
  return file;
}

std::string Problem(const std::string& text) {
  std::vector<ConfigProblem> problems;
  ParseConfigFile(text, FlagNames(), problems);
  return ProblemsText("f", problems);
}

// What is wrong with these fields of a listener.
std::string ListenerProblem(const std::string& fields) {
  return Problem(
      absl::StrCat("listeners:\n- {name: a, port: 1, ", fields, "}\n"));
}

TEST(ConfigFileTest, APathHasNoPort) {
  const ConfigFile file =
      Parse("listeners: [{name: a, address: \"unix:/run/a\"}]");
  ASSERT_EQ(file.listeners->size(), 1u);
  EXPECT_EQ((*file.listeners)[0].creation.address, "unix:/run/a");
  EXPECT_EQ(ListenerProblem("address: \"unix:/run/a\""),
            "f:2:13: listeners[0].port: the path of a Unix socket has no port; "
            "leave it out");
  EXPECT_EQ(Problem("listeners:\n"
                    "- {name: a, address: \"unix:/run/a\"}\n"
                    "- {name: b, address: \"unix:/run/a\"}\n"),
            "f:3:10: listeners[1].address: the listener in line 2 has this "
            "path, too; choose another");
}

TEST(ConfigFileTest, ReadsFlagsAndListeners) {
  const ConfigFile file = Parse(R"(
workers: 4
log_level: "debug"
listeners:
  - name: default
    port: 7
  - name: listeners/edge
    address: 127.0.0.1
    port: 0
    mode: MODE_RAW
    max_connections: 9
    idle_timeout: 1m30s
)");
  EXPECT_EQ(file.flags.size(), 2u);
  EXPECT_EQ(file.flags.at("workers").text, "4");
  EXPECT_EQ(file.flags.at("workers").mark.line, 2);
  EXPECT_EQ(file.flags.at("workers").mark.column, 10);
  EXPECT_EQ(file.flags.at("log_level").text, "debug");
  ASSERT_TRUE(file.listeners.has_value());
  ASSERT_EQ(file.listeners->size(), 2u);
  const ListenerCreation& first = (*file.listeners)[0].creation;
  EXPECT_EQ(first.id, "default");
  EXPECT_EQ(first.address, "::");
  EXPECT_EQ(first.port, 7);
  EXPECT_TRUE((*file.listeners)[0].settings.empty());
  const ListenerCreation& second = (*file.listeners)[1].creation;
  EXPECT_EQ(second.id, "edge");
  EXPECT_EQ(second.address, "127.0.0.1");
  EXPECT_EQ(second.settings.mode, EchoMode::kRaw);
  EXPECT_EQ(second.settings.max_connections, 9);
  EXPECT_EQ(second.settings.idle_timeout, absl::Seconds(90));
  EXPECT_EQ((*file.listeners)[1].settings,
            (std::set<std::string>{"mode", "max_connections", "idle_timeout"}));
}

TEST(ConfigFileTest, KnowsNoListenersFromAnEmptyList) {
  EXPECT_FALSE(Parse("{}").listeners.has_value());
  EXPECT_TRUE(Parse("listeners: []").listeners.has_value());
}

TEST(ConfigFileTest, EverySettingIsAFieldOfAListener) {
  for (const Setting& setting : SettingsTable()) {
    EXPECT_EQ(ListenerProblem(
                  absl::StrCat(setting.name, ": ", SettingText(setting, {}))),
              "");
    EXPECT_TRUE(absl::StrContains(
        ListenerProblem(absl::StrCat(setting.name, ": none")),
        absl::StrCat("listeners[0].", setting.name, ": it cannot be 'none'")))
        << setting.name;
  }
}

TEST(ConfigFileTest, SaysAllMistakesInTheOrderOfTheFile) {
  EXPECT_EQ(Problem("worker: 4\n"
                    "listeners:\n"
                    "- name: a\n"
                    "  prot: 1\n"
                    "- name: A\n"
                    "  port: 65536\n"
                    "  max_connections: -1\n"
                    "  idle_timeout: 5\n"
                    "log_level:\n"),
            "f:1:1: worker: there is no such field; did you mean workers?\n"
            "f:3:3: listeners[0]: it has no port; write one, or port: 0 to "
            "let the kernel choose\n"
            "f:4:3: listeners[0].prot: there is no such field; did you mean "
            "port?\n"
            "f:5:9: listeners[1].name: choose 1 to 63 lower-case letters, "
            "digits and hyphens, of which the first is a letter and the last "
            "is no hyphen\n"
            "f:6:9: listeners[1].port: '65536' is not a port; choose one from "
            "0 to 65535\n"
            "f:7:20: listeners[1].max_connections: -1 is out of bounds; "
            "max_connections ranges from 0 (no limit) to 100000000\n"
            "f:8:17: listeners[1].idle_timeout: it cannot be '5': write a "
            "number and its unit, such as 30s or 5m\n"
            "f:9:11: log_level: it has no value; write one, or leave the field "
            "out");
}

TEST(ConfigFileTest, SaysWhatIsWrongWithAListener) {
  EXPECT_EQ(ListenerProblem("mode: loud"),
            "f:2:28: listeners[0].mode: it cannot be 'loud': choose line or "
            "raw");
  EXPECT_TRUE(absl::StrContains(ListenerProblem("address: example.com"),
                                "f:2:31: listeners[0].address: "));
  EXPECT_EQ(ListenerProblem("state: asleep"),
            "f:2:29: listeners[0].state: it cannot be 'asleep'; choose active "
            "or paused");
  EXPECT_EQ(ListenerProblem("state: draining"),
            "f:2:29: listeners[0].state: it cannot be 'draining'; choose "
            "active or paused");
  EXPECT_EQ(ListenerProblem("bound_port: 1"),
            "f:2:22: listeners[0].bound_port: only echod sets this field; "
            "leave it out");
  EXPECT_EQ(ListenerProblem("zzzzzzzzzz: 1"),
            "f:2:22: listeners[0].zzzzzzzzzz: there is no such field");
  EXPECT_EQ(ListenerProblem("backlog: [1]"),
            "f:2:31: listeners[0].backlog: write a single value");
  EXPECT_EQ(Problem("listeners: [{port: 1}]"),
            "f:1:13: listeners[0]: it has no name; write one, such as name: "
            "default");
  EXPECT_EQ(Problem("listeners: [a]"),
            "f:1:13: listeners[0]: a listener consists of fields, such as: "
            "name: default");
  EXPECT_EQ(Problem("listeners: a"),
            "f:1:12: listeners: write a list of listeners, or [] where there "
            "are to be none");
  EXPECT_EQ(Problem("- a"),
            "f:1:1: a configuration consists of fields, such as: workers: 4");
}

TEST(ConfigFileTest, NamesAndAddressesAreForOneListener) {
  EXPECT_EQ(Problem("listeners:\n- {name: a, port: 1}\n- {name: a, port: 2}\n"),
            "f:3:10: listeners[1].name: the listener in line 2 has this name, "
            "too; choose another");
  EXPECT_EQ(Problem("listeners:\n- {name: a, port: 1}\n- {name: b, port: 1}\n"),
            "f:3:10: listeners[1].port: the listener in line 2 has this "
            "address and port, too; choose another");
  EXPECT_EQ(Problem("listeners:\n- {name: a, port: 0}\n- {name: b, port: 0}\n"),
            "");
}

TEST(ConfigFileTest, BoundsWhatItSays) {
  std::string many;
  for (int i = 0; i < 1000; ++i) absl::StrAppend(&many, "z", i, ": 1\n");
  const std::string said = Problem(many);
  EXPECT_TRUE(absl::StrContains(said, "f:50:1: z49"));
  EXPECT_FALSE(absl::StrContains(said, "f:51:1"));
  EXPECT_TRUE(absl::StrContains(said, "f: and 950 more"));
  EXPECT_LT(Problem(std::string(500'000, 'z') + ": 1").size(), 1000u);
}

TEST(ConfigFileTest, ReadsNothingButRegularFiles) {
  const std::string folder = std::getenv("TEST_TMPDIR");
  const auto problem = [](const std::string& path) {
    return std::string(ReadConfigText(path).status().message());
  };
  EXPECT_EQ(problem(folder + "/missing"),
            "cannot be opened: No such file or directory");
  EXPECT_EQ(problem(folder), "is not a regular file");
  EXPECT_EQ(problem("/dev/zero"), "is not a regular file");
  const std::string fifo = folder + "/fifo";
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  EXPECT_EQ(problem(fifo), "is not a regular file");  // and does not wait
  const std::string file = folder + "/file";
  std::ofstream(file) << "workers: 1\n";
  EXPECT_EQ(*ReadConfigText(file), "workers: 1\n");
  std::ofstream(file) << std::string(4 * kMostYamlBytes, ' ');
  EXPECT_TRUE(absl::StrContains(Problem(*ReadConfigText(file)), "more than"));
  EXPECT_LT(ReadConfigText(file)->size(), 2 * kMostYamlBytes);
}

}  // namespace
}  // namespace echod
