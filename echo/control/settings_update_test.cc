// SPDX-License-Identifier: Apache-2.0

#include "echo/control/settings_update.h"

#include <variant>

#include "absl/time/time.h"
#include "echo/control/echo_mode.h"
#include "echo/control/listener_settings.h"
#include "echo/control/settings_table.h"
#include "echo/testing/unusual_settings.h"
#include "gtest/gtest.h"

namespace echod {
namespace {

TEST(SettingsUpdateTest, AppliesWhatIsSetAndKeepsTheRest) {
  SettingsUpdate update;
  EXPECT_EQ(update.ApplyTo(UnusualSettings()), UnusualSettings());
  update.Set(&ListenerSettings::max_connections, 0);
  update.Set(&ListenerSettings::mode, EchoMode::kLine);
  update.Set(&ListenerSettings::idle_timeout, absl::Seconds(4));
  update.Set(&ListenerSettings::backlog, 5);
  ListenerSettings expected = UnusualSettings();
  expected.max_connections = 0;
  expected.mode = EchoMode::kLine;
  expected.idle_timeout = absl::Seconds(4);
  expected.backlog = 5;
  EXPECT_EQ(update.ApplyTo(UnusualSettings()), expected);
}

TEST(SettingsUpdateTest, AppliesEverySetting) {
  SettingsUpdate update;
  for (const Setting& setting : SettingsTable()) {
    std::visit(
        [&](auto member) { update.Set(member, UnusualSettings().*member); },
        MemberOf(setting));
  }
  EXPECT_NE(UnusualSettings(), ListenerSettings());
  EXPECT_EQ(update.ApplyTo({}), UnusualSettings());
}

TEST(SettingsUpdateTest, TheLastValueCounts) {
  SettingsUpdate update;
  update.Set(&ListenerSettings::max_connections, 1);
  update.Set(&ListenerSettings::max_connections, 2);
  EXPECT_EQ(update.ApplyTo({}).max_connections, 2);
}

}  // namespace
}  // namespace echod
