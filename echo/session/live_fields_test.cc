// SPDX-License-Identifier: Apache-2.0

#include "echo/session/live_fields.h"

#include <string>

#include "absl/time/time.h"
#include "echo/control/connection_info.h"
#include "echo/control/listener_settings.h"
#include "echo/session/connection.h"
#include "echo/session/connection_state.h"
#include "echo/testing/test_session.h"
#include "gtest/gtest.h"

namespace echod {
namespace {

// Filters see what operators see.
void ExpectAsDescribed(const Connection& connection) {
  const LiveFields fields(connection);
  const ConnectionInfo info = connection.Describe(/*with_tcp_info=*/false);
  EXPECT_EQ(fields.number(), info.number);
  EXPECT_EQ(fields.listener_id(), info.listener_id);
  EXPECT_EQ(fields.listener_generation(), info.listener_generation);
  EXPECT_EQ(fields.worker(), info.worker);
  EXPECT_EQ(fields.state(), info.state);
  EXPECT_EQ(fields.remote_address().ToString(), info.remote_address);
  EXPECT_EQ(fields.local_address().ToString(), info.local_address);
  EXPECT_EQ(fields.WallTime(fields.created()), info.create_time);
  EXPECT_EQ(fields.WallTime(fields.last_active()), info.last_active_time);
  EXPECT_EQ(fields.bytes_received(), info.bytes_received);
  EXPECT_EQ(fields.bytes_sent(), info.bytes_sent);
  EXPECT_EQ(fields.bytes_buffered(), info.bytes_buffered);
  EXPECT_EQ(fields.lines_echoed(), info.lines_echoed);
  EXPECT_EQ(fields.reading_paused(), info.reading_paused);
}

TEST(LiveFieldsTest, AreThoseOfTheDescription) {
  TestSession session({.max_buffered_bytes = 100});
  session.Start();
  ExpectAsDescribed(*session.connection());
  session.Advance(absl::Seconds(7));
  session.peer.Send("one\n");
  ExpectAsDescribed(*session.connection());

  // All figures differ now.
  session.peer.window = 5;
  session.peer.Send(std::string(80, '\n'));
  ExpectAsDescribed(*session.connection());
  const LiveFields fields(*session.connection());
  EXPECT_TRUE(fields.reading_paused());
  EXPECT_GT(fields.bytes_buffered(), 0);
  EXPECT_GT(fields.bytes_received(), 0);
  EXPECT_GT(fields.bytes_sent(), 0);
  EXPECT_GT(fields.lines_echoed(), 0);
  EXPECT_GT(fields.last_active(), fields.created());
}

TEST(LiveFieldsTest, InEveryState) {
  for (int i = 0; i < kConnectionStates; ++i) {
    const auto state = static_cast<ConnectionState>(i);
    if (state == ConnectionState::kEnded) continue;
    TestSession session(WalkSettings());
    session.Start();
    WalkTo(session, state);
    ASSERT_NE(session.connection(), nullptr) << Name(state);
    ExpectAsDescribed(*session.connection());
  }
}

}  // namespace
}  // namespace echod
