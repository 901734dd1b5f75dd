// SPDX-License-Identifier: Apache-2.0

#include "echo/config/running_config.h"

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "echo/config/config_file.h"
#include "echo/config/config_problem.h"
#include "echo/control/listener_control.h"
#include "echo/control/listener_settings.h"
#include "echo/testing/unusual_settings.h"
#include "gtest/gtest.h"

namespace echod {
namespace {

using Flags = std::map<std::string, std::string>;

// What a file with the text of RunningConfigText says.
ConfigFile Reread(const Flags& flags,
                  const std::vector<ListenerInfo>& listeners) {
  std::vector<std::string> names;
  for (const auto& [name, value] : flags) names.push_back(name);
  const std::string text = RunningConfigText(flags, listeners);
  std::vector<ConfigProblem> problems;
  ConfigFile file = ParseConfigFile(text, names, problems);
  EXPECT_TRUE(problems.empty()) << ProblemsText(text, problems);
  return file;
}

ListenerInfo Listener(const std::string& id, const std::string& address,
                      int port, const ListenerSettings& settings) {
  ListenerInfo info;
  info.id = id;
  info.address = address;
  info.port = port;
  info.settings = settings;
  return info;
}

TEST(RunningConfigTest, IsReadAsTheSameListeners) {
  const ConfigFile file =
      Reread({}, {Listener("a", "::", 0, {}),
                  Listener("b", "127.0.0.1", 7, UnusualSettings()),
                  Listener("c", "fe80::1%lo", 8, {}),
                  Listener("d", "unix:/run/a b.sock", 0, {})});
  ASSERT_TRUE(file.listeners.has_value());
  ASSERT_EQ(file.listeners->size(), 4u);
  const std::vector<ConfigListener>& read = *file.listeners;
  EXPECT_EQ(read[0].creation.id, "a");
  EXPECT_EQ(read[0].creation.address, "::");
  EXPECT_EQ(read[0].creation.settings, ListenerSettings());
  EXPECT_EQ(read[1].creation.port, 7);
  EXPECT_EQ(read[1].creation.settings, UnusualSettings());
  EXPECT_EQ(read[2].creation.address, "fe80::1%lo");
  EXPECT_EQ(read[3].creation.address, "unix:/run/a b.sock");
}

TEST(RunningConfigTest, APausedListenerIsReadAsPaused) {
  ListenerInfo paused = Listener("a", "::", 0, {});
  paused.state = ListenerInfo::State::kPaused;
  const ConfigFile file = Reread({}, {paused, Listener("b", "::", 0, {})});
  ASSERT_EQ(file.listeners->size(), 2u);
  EXPECT_EQ((*file.listeners)[0].creation.paused, true);
  EXPECT_EQ((*file.listeners)[1].creation.paused, std::nullopt);
}

TEST(RunningConfigTest, IsReadAsTheSameFlags) {
  Flags flags = {{"a", ""},         {"b", "[::]:8080"},
                 {"c", "null"},     {"d", "1m30s"},
                 {"e", "a: b #c"},  {"f", "\"\\\n\t"},
                 {"g", "- x"},      {"h", "~"},
                 {"i", "/a/b-c.d"}, {"j", "Gr\u00fc\u00df \U0001F642\u2028"},
                 {"k", "*x"},       {"l", "\x7F\x01"}};
  ConfigFile file = Reread(flags, {});
  ASSERT_EQ(file.flags.size(), flags.size());
  for (const auto& [name, value] : flags) {
    EXPECT_EQ(file.flags[name].text, value) << name;
  }
  // No file can hold these.
  EXPECT_EQ(Reread({{"a", "x\xFFy\xE2\x82"}}, {}).flags["a"].text,
            "x\uFFFDy\uFFFD\uFFFD");
}

TEST(RunningConfigTest, LeavesOutWhatAFileDoesNotHave) {
  ListenerInfo leaving = Listener("a", "::", 1, {});
  leaving.state = ListenerInfo::State::kDraining;
  EXPECT_EQ(RunningConfigText({{"config", "x"},
                               {"check_config", "false"},
                               {"listen", "[::]:8080"},
                               {"workers", "4"}},
                              {leaving}),
            "workers: 4\nlisteners: []\n");
}

}  // namespace
}  // namespace echod
