// SPDX-License-Identifier: Apache-2.0

#include "echo/control/listener_control.h"

#include "absl/time/time.h"
#include "echo/control/listener_settings.h"
#include "gtest/gtest.h"

namespace echod {
namespace {

TEST(ListenerControlTest, MergesWhatIsSetAndKeepsTheRest) {
  const ListenerSettings before = {.max_connections = 1, .max_line_bytes = 2};
  ListenerUpdate update;
  EXPECT_EQ(MergeSettings(before, update), before);
  update.max_connections = 0;
  update.mode = EchoMode::kRaw;
  update.max_buffered_bytes = 3;
  update.idle_timeout = absl::Seconds(4);
  update.backlog = 5;
  update.max_connections_per_address = 6;
  update.max_connection_age = absl::Seconds(7);
  update.write_stall_timeout = absl::Seconds(8);
  EXPECT_EQ(MergeSettings(before, update),
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

}  // namespace
}  // namespace echod
