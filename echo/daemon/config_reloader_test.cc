// SPDX-License-Identifier: Apache-2.0

#include "echo/daemon/config_reloader.h"

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <fstream>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "admin/testing/fake_listener_control.h"
#include "echo/base/clock.h"
#include "echo/base/command_line.h"
#include "echo/control/config_reloads.h"
#include "echo/control/control_error.h"
#include "echo/control/listener_control.h"
#include "echo/control/reply.h"
#include "echo/daemon/config_loader.h"
#include "echo/daemon/flags.h"
#include "gtest/gtest.h"
#include "tests/support/eventually.h"

namespace echod {
namespace {

using testing::Eventually;
using Changes = std::vector<ListenerChange>;
using Infos = std::vector<ListenerInfo>;

class ConfigReloaderTest : public ::testing::Test {
 protected:
  void Write(const std::string& text) { std::ofstream(path_) << text; }

  void Start(const std::string& text) {
    Write(text);
    std::string program = "echod";
    std::string flag = absl::StrCat("--config=", path_);
    char* argv[] = {program.data(), flag.data()};
    auto loader = std::make_unique<ConfigLoader>();
    loader->SetCommandLine(*ParseCommandLine(2, argv, loader->spec()));
    absl::StatusOr<DaemonConfig> config = loader->Load();
    ASSERT_TRUE(config.ok()) << config.status();
    reloader_ = *ConfigReloader::Start(
        {.loader = std::move(loader),
         .config = *std::move(config),
         .listeners = &listeners_,
         .reloads = &reloads_,
         .clock = &SystemClock(),
         .on_reloaded = [this](const DaemonConfig&) { ++reloaded_; },
         .retry_interval = absl::Milliseconds(1)});
  }

  ConfigReloads::Counts Reload() {
    const auto all = [&] {
      const ConfigReloads::Counts counts = reloads_.Read();
      return counts.succeeded + counts.failed;
    };
    const auto before = all();
    reloader_->Reload();
    EXPECT_TRUE(Eventually([&] { return all() > before; }));
    return reloads_.Read();
  }

  static absl::Status Error(const std::string& reason) {
    return ControlError(absl::StatusCode::kAborted, "not now",
                        {.reason = reason, .field = "changes[0]"});
  }

  const std::string path_ = absl::StrCat(
      std::getenv("TEST_TMPDIR"), "/",
      ::testing::UnitTest::GetInstance()->current_test_info()->name(), ".yaml");
  FakeListenerControl listeners_;
  ConfigReloads reloads_;
  std::atomic<int> reloaded_ = 0;
  std::unique_ptr<ConfigReloader> reloader_;
};

TEST_F(ConfigReloaderTest, AsksForTheDifference) {
  listeners_.infos["kept"] = {.id = "kept", .etag = "e1"};
  listeners_.infos["gone"] = {.id = "gone", .etag = "e2"};
  listeners_.infos["runtime"] = {.id = "runtime", .etag = "e3"};
  Changes asked;
  listeners_.change_listeners = [&](const Changes& changes,
                                    Reply<Infos> reply) {
    asked = changes;
    reply(Infos(changes.size()));
  };
  Start("listeners: [{name: kept, port: 1}, {name: gone, port: 2}]");
  Write("listeners: [{name: new, port: 3}, {name: kept, port: 4}]");
  EXPECT_EQ(Reload().succeeded, 1);
  EXPECT_EQ(reloaded_, 1);
  ASSERT_EQ(asked.size(), 3u);
  EXPECT_EQ(std::get<ListenerCreation>(asked[0]).port, 3);
  EXPECT_EQ(std::get<ListenerUpdate>(asked[1]).port, 4);
  EXPECT_EQ(std::get<ListenerUpdate>(asked[1]).etag, "e1");
  EXPECT_EQ(std::get<ListenerDeletion>(asked[2]).id, "gone");
  EXPECT_EQ(std::get<ListenerDeletion>(asked[2]).etag, "e2");
}

TEST_F(ConfigReloaderTest, AsksForThePauseThatTheFileSays) {
  listeners_.infos["a"] = {.id = "a"};
  std::optional<bool> paused;
  listeners_.change_listeners = [&](const Changes& changes,
                                    Reply<Infos> reply) {
    paused = std::get<ListenerUpdate>(changes.at(0)).paused;
    reply(Infos(changes.size()));
  };
  Start("listeners: [{name: a, port: 1}]");
  Reload();
  EXPECT_EQ(paused, std::nullopt) << "what an operator has chosen stays";
  Write("listeners: [{name: a, port: 1, state: paused}]");
  Reload();
  EXPECT_EQ(paused, true);
  Write("listeners: [{name: a, port: 1, state: STATE_ACTIVE}]");
  Reload();
  EXPECT_EQ(paused, false);
  Write("listeners: [{name: a, port: 1, state: paused}]");
  Reload();
  // Without the field, the listener is what it is by default.
  Write("listeners: [{name: a, port: 1}]");
  Reload();
  EXPECT_EQ(paused, false);
}

TEST_F(ConfigReloaderTest, RepeatsWhatOthersGetInTheWayOf) {
  int tries = 0;
  listeners_.change_listeners = [&](const Changes& changes,
                                    Reply<Infos> reply) {
    if (++tries < 5) return reply(Error("ETAG_MISMATCH"));
    reply(Infos(changes.size()));
  };
  Start("listeners: [{name: a, port: 1}]");
  EXPECT_EQ(Reload().succeeded, 1);
  EXPECT_EQ(tries, 5);

  // But not for ever.
  listeners_.change_listeners = [&](const Changes&, Reply<Infos> reply) {
    ++tries;
    reply(Error("ETAG_MISMATCH"));
  };
  tries = 0;
  EXPECT_EQ(Reload().failed, 1);
  EXPECT_EQ(tries, 20);
  EXPECT_EQ(reloaded_, 1);

  // Nor what will not pass.
  listeners_.change_listeners = [&](const Changes&, Reply<Infos> reply) {
    ++tries;
    reply(Error("BIND_PERMISSION_DENIED"));
  };
  tries = 0;
  const ConfigReloads::Counts counts = Reload();
  EXPECT_EQ(tries, 1);
  EXPECT_TRUE(absl::StrContains(counts.last->error,
                                ".yaml:1:20: listeners[0]: not now"))
      << counts.last->error;
}

TEST_F(ConfigReloaderTest, EndsWhileAReloadHangs) {
  std::promise<void> hangs;
  std::optional<Reply<Infos>> owed;
  listeners_.change_listeners = [&](const Changes&, Reply<Infos> reply) {
    owed.emplace(std::move(reply));
    hangs.set_value();
  };
  Start("listeners: []");
  reloader_->Reload();
  hangs.get_future().wait();
  reloader_.reset();
  // Nobody is told any more.
  (*owed)(Infos());
  owed.reset();
  EXPECT_EQ(reloaded_, 0);
  EXPECT_FALSE(reloads_.Read().last.has_value());
}

}  // namespace
}  // namespace echod
