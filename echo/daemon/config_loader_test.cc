// SPDX-License-Identifier: Apache-2.0

#include "echo/daemon/config_loader.h"

#include <cstddef>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/time/time.h"
#include "echo/base/command_line.h"
#include "echo/control/echo_mode.h"
#include "echo/control/listener_settings.h"
#include "echo/control/settings_table.h"
#include "gtest/gtest.h"

namespace echod {
namespace {

class ConfigLoaderTest : public ::testing::Test {
 protected:
  ConfigLoaderTest()
      : path_(absl::StrCat(
            std::getenv("TEST_TMPDIR"), "/",
            ::testing::UnitTest::GetInstance()->current_test_info()->name(),
            ".yaml")) {}

  void Write(const std::string& text) { std::ofstream(path_) << text; }

  absl::StatusOr<DaemonConfig> Load(std::vector<std::string> flags) {
    flags.insert(flags.begin(), {"echod", absl::StrCat("--config=", path_)});
    std::vector<char*> argv;
    for (std::string& flag : flags) argv.push_back(flag.data());
    const auto line = ParseCommandLine(static_cast<int>(argv.size()),
                                       argv.data(), loader_.spec());
    if (!line.ok()) return line.status();
    loader_.SetCommandLine(*line);
    return loader_.Load();
  }

  // What is wrong, with `f` for the file.
  std::string Problem(const std::string& text,
                      const std::vector<std::string>& flags = {}) {
    Write(text);
    return absl::StrReplaceAll(Load(flags).status().message(), {{path_, "f"}});
  }

  const std::string path_;
  ConfigLoader loader_;
};

TEST_F(ConfigLoaderTest, TheFileOverridesDefaultsAndTheCommandLineTheFile) {
  Write("workers: 3\ndrain_timeout: 7s\nmode: MODE_RAW\nmax_connections: 5\n");
  const absl::StatusOr<DaemonConfig> config =
      Load({"--workers=2", "--max_connections=6"});
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->worker_count, 2);
  EXPECT_EQ(config->drain_timeout, absl::Seconds(7));
  ASSERT_EQ(config->listeners.size(), 1u);
  EXPECT_EQ(config->listeners[0].id, "default");
  EXPECT_EQ(config->listeners[0].port, 8080);
  EXPECT_EQ(config->listeners[0].settings.mode, EchoMode::kRaw);
  EXPECT_EQ(config->listeners[0].settings.max_connections, 6);
  EXPECT_EQ(config->flags.at("drain_timeout"), "7s");
  EXPECT_EQ(config->flags.at("max_connections"), "6");
  EXPECT_EQ(config->config_file, path_);
}

TEST_F(ConfigLoaderTest, AFieldOfAListenerOverridesTheFilesFlag) {
  Write(R"(
max_connections: 5
idle_timeout: 5s
backlog: 50
listeners:
  - {name: a, port: 1}
  - {name: b, port: 2, max_connections: 6, idle_timeout: 6s, backlog: 60}
)");
  const absl::StatusOr<DaemonConfig> config =
      Load({"--backlog=70", "--idle_timeout=0"});
  ASSERT_TRUE(config.ok()) << config.status();
  ASSERT_EQ(config->listeners.size(), 2u);
  const ListenerSettings& a = config->listeners[0].settings;
  const ListenerSettings& b = config->listeners[1].settings;
  EXPECT_EQ(a.max_connections, 5);
  EXPECT_EQ(b.max_connections, 6);
  // The command line holds for every listener, also where it gives a default.
  EXPECT_EQ(a.idle_timeout, absl::ZeroDuration());
  EXPECT_EQ(b.idle_timeout, absl::ZeroDuration());
  EXPECT_EQ(a.backlog, 70);
  EXPECT_EQ(b.backlog, 70);
}

TEST_F(ConfigLoaderTest, TheListenFlagMovesOrAddsTheListenerDefault) {
  Write("listeners: [{name: default, port: 1, backlog: 9}]");
  absl::StatusOr<DaemonConfig> config = Load({"--listen=127.0.0.1:2"});
  ASSERT_TRUE(config.ok()) << config.status();
  ASSERT_EQ(config->listeners.size(), 1u);
  EXPECT_EQ(config->listeners[0].address, "127.0.0.1");
  EXPECT_EQ(config->listeners[0].port, 2);
  EXPECT_EQ(config->listeners[0].settings.backlog, 9);

  Write("listeners: [{name: a, port: 1}]");
  config = Load({"--listen=127.0.0.1:2"});
  ASSERT_EQ(config->listeners.size(), 2u);
  EXPECT_EQ(config->listeners[1].id, "default");
  EXPECT_EQ(config->flags.at("listen"), "127.0.0.1:2");
  config = Load({});
  ASSERT_EQ(config->listeners.size(), 1u);
  EXPECT_EQ(config->listeners[0].id, "a");
  EXPECT_EQ(config->flags.at("listen"), "");
  config = Load({"--listen=b=127.0.0.1:2", "--listen=a=127.0.0.1:3"});
  ASSERT_TRUE(config.ok()) << config.status();
  ASSERT_EQ(config->listeners.size(), 2u);
  EXPECT_EQ(config->listeners[0].id, "a");
  EXPECT_EQ(config->listeners[0].port, 3);
  EXPECT_EQ(config->listeners[1].id, "b");
  Write("listeners: []");
  EXPECT_TRUE(Load({})->listeners.empty());
  EXPECT_EQ(Problem("listeners: [{name: default, port: 1}]\n"
                    "listen: \"127.0.0.1:2\""),
            "f:2:9: listen: listeners has a listener default, too; leave one "
            "of them out");
}

TEST_F(ConfigLoaderTest, WhatAnEarlierFileSaidIsForgotten) {
  Write("workers: 3\nmax_connections: 5\n");
  ASSERT_TRUE(Load({}).ok());
  Write("workers: many\nmax_connections: 7\n");
  ASSERT_FALSE(Load({}).ok());
  Write("mode: raw\n");
  const absl::StatusOr<DaemonConfig> config = Load({"--workers=2"});
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->worker_count, 2);
  EXPECT_EQ(config->listeners[0].settings.max_connections, 0);
}

TEST_F(ConfigLoaderTest, SaysAllMistakesOfFlagsInTheFile) {
  EXPECT_EQ(Problem("workers: -1\n"
                    "drain_timeout: -1s\n"
                    "log_level: loud\n"
                    "admin_address: 1\n"
                    "max_line_bytes: 0\n"
                    "backlog: 0\n"
                    "config: x\n"
                    "lisen: x\n"
                    "max_total_connections: many\n"),
            "f:1:10: workers: -1 is out of bounds; choose 1 to 1024, or 0 for "
            "one for each CPU\n"
            "f:2:16: drain_timeout: -1s is negative; choose 0 or more, such as "
            "30s\n"
            "f:3:12: log_level: it cannot be 'loud': choose debug, info, "
            "warning, error or off\n"
            "f:4:16: admin_address: '1' has no address; write 127.0.0.1:1, or "
            ":1 for all addresses\n"
            "f:5:17: max_line_bytes: 0 is out of bounds; max_line_bytes ranges "
            "from 1 to 16777216\n"
            "f:6:10: backlog: 0 is out of bounds; backlog ranges from 1 to "
            "65535\n"
            "f:7:1: config: this flag is for the command line only; leave it "
            "out\n"
            "f:8:1: lisen: there is no such field; did you mean listen?\n"
            "f:9:24: max_total_connections: it cannot be 'many': write a whole "
            "number below 2^63");
}

TEST_F(ConfigLoaderTest, TellsMistakesOfTheCommandLineFromThoseOfTheFile) {
  EXPECT_EQ(Problem("drain_timeout: -1s\nworkers: 2\n", {"--workers=-1"}),
            "flag --workers: -1 is out of bounds; choose 1 to 1024, or 0 for "
            "one for each CPU\n"
            "f:1:16: drain_timeout: -1s is negative; choose 0 or more, such as "
            "30s");
}

TEST_F(ConfigLoaderTest, TheDocumentsExampleIsValid) {
  std::ifstream document("docs/configuration.md");
  const std::string text(std::istreambuf_iterator<char>(document), {});
  const std::string kBegin = "```yaml\n";
  const std::size_t begin = text.find(kBegin);
  ASSERT_NE(begin, std::string::npos);
  const std::size_t from = begin + kBegin.size();
  Write(text.substr(from, text.find("```", from) - from));
  const absl::StatusOr<DaemonConfig> config = Load({});
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->worker_count, 4);
  ASSERT_EQ(config->listeners.size(), 2u);
  EXPECT_EQ(config->listeners[0].settings.idle_timeout, absl::Minutes(10));
  EXPECT_EQ(config->listeners[1].settings.mode, EchoMode::kRaw);
  EXPECT_EQ(config->listeners[1].settings.idle_timeout, absl::Seconds(30));
  for (const Setting& setting : SettingsTable()) {
    EXPECT_TRUE(absl::StrContains(text, absl::StrCat("`", setting.name, "`")))
        << setting.name;
  }
}

TEST_F(ConfigLoaderTest, SaysThatThereAreTooManyListeners) {
  std::string text = "listeners:\n";
  for (int i = 0; i < 130; ++i) {
    absl::StrAppend(&text, "- {name: l", i, ", port: 0}\n");
  }
  EXPECT_EQ(Problem(text),
            "f:130:10: listeners: there can be 128 listeners; leave some out");
}

TEST_F(ConfigLoaderTest, SaysThatItCannotReadTheFile) {
  const absl::StatusOr<DaemonConfig> config = Load({});
  EXPECT_EQ(config.status().message(),
            absl::StrCat("flag --config: ", path_,
                         " cannot be opened: No such file or directory"));
}

}  // namespace
}  // namespace echod
