// SPDX-License-Identifier: Apache-2.0

#include "echo/control/settings_update.h"

#include "absl/time/time.h"
#include "echo/control/listener_settings.h"
#include "gtest/gtest.h"

namespace echod {
namespace {

TEST(SettingsUpdateTest, AppliesWhatIsSetAndKeepsTheRest) {
  const ListenerSettings before = {.max_connections = 1, .max_line_bytes = 2};
  SettingsUpdate update;
  EXPECT_EQ(update.ApplyTo(before), before);
  update.Set(&ListenerSettings::max_connections, 0);
  update.Set(&ListenerSettings::mode, EchoMode::kRaw);
  update.Set(&ListenerSettings::max_buffered_bytes, 3);
  update.Set(&ListenerSettings::idle_timeout, absl::Seconds(4));
  update.Set(&ListenerSettings::backlog, 5);
  update.Set(&ListenerSettings::max_connections_per_address, 6);
  update.Set(&ListenerSettings::max_connection_age, absl::Seconds(7));
  update.Set(&ListenerSettings::write_stall_timeout, absl::Seconds(8));
  EXPECT_EQ(update.ApplyTo(before),
            (ListenerSettings{.mode = EchoMode::kRaw,
                              .max_connections = 0,
                              .max_connections_per_address = 6,
                              .max_line_bytes = 2,
                              .max_buffered_bytes = 3,
                              .idle_timeout = absl::Seconds(4),
                              .max_connection_age = absl::Seconds(7),
                              .write_stall_timeout = absl::Seconds(8),
                              .backlog = 5}));
}

TEST(SettingsUpdateTest, TheLastValueCounts) {
  SettingsUpdate update;
  update.Set(&ListenerSettings::max_connections, 1);
  update.Set(&ListenerSettings::max_connections, 2);
  EXPECT_EQ(update.ApplyTo({}).max_connections, 2);
}

}  // namespace
}  // namespace echod
