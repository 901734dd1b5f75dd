// SPDX-License-Identifier: Apache-2.0

// Drains of connections that have only just begun.

#include <string>

#include "absl/time/time.h"
#include "echo/control/close_reason.h"
#include "echo/control/echo_mode.h"
#include "echo/session/connection.h"
#include "echo/session/connection_state.h"
#include "echo/testing/fake_transport.h"
#include "echo/testing/test_session.h"
#include "gtest/gtest.h"

namespace echod {
namespace {

// As a server drains, or a listener's drain policy does.
void Drain(TestSession& session, CloseReason reason = CloseReason::kDrained) {
  session.connection()->Drain(reason,
                              session.clock().MonotonicNow() +
                                  absl::ToChronoNanoseconds(absl::Seconds(60)));
}

TEST(ConnectionDrainTest, AFirstRequestThatIsUnderWayIsAnswered) {
  for (const EchoMode mode : {EchoMode::kLine, EchoMode::kRaw}) {
    TestSession session({.mode = mode});
    session.Start();
    Drain(session);
    EXPECT_EQ(session.state(), ConnectionState::kDraining);
    EXPECT_FALSE(session.peer.fin);
    session.Advance(absl::Milliseconds(999));
    EXPECT_FALSE(session.peer.fin);
    session.peer.Send("hello\n");
    EXPECT_EQ(session.peer.received,
              mode == EchoMode::kRaw ? "hello\n" : "YOU SAID hello\n");
    EXPECT_TRUE(session.peer.fin);
    session.peer.Close();
    EXPECT_EQ(session.closed(), CloseReason::kDrained);
  }
}

TEST(ConnectionDrainTest, ItIsAwaitedForASecondFromTheBegin) {
  TestSession session;
  session.Start();
  session.Advance(absl::Milliseconds(400));
  Drain(session);
  session.Advance(absl::Milliseconds(599));
  EXPECT_FALSE(session.peer.fin);
  session.Advance(absl::Milliseconds(1));
  EXPECT_TRUE(session.peer.fin);
  // And not once more.
  session.peer.Send("late\n");
  EXPECT_EQ(session.peer.received, "");
}

TEST(ConnectionDrainTest, ALineThatHasBegunByThenMayEnd) {
  TestSession session;
  session.Start();
  Drain(session);
  session.peer.Send("hel");
  session.Advance(absl::Seconds(1));
  EXPECT_FALSE(session.peer.fin);
  session.peer.Send("lo\n");
  EXPECT_EQ(session.peer.received, "YOU SAID hello\n");
  EXPECT_TRUE(session.peer.fin);
}

TEST(ConnectionDrainTest, AClientThatLeavesMeanwhileIsNotAwaited) {
  TestSession session;
  session.Start();
  Drain(session);
  session.peer.Close();
  EXPECT_EQ(session.state(), ConnectionState::kEnded);
}

TEST(ConnectionDrainTest, TheMomentEndsWhereTheEndHasBegun) {
  TestSession session;
  session.Start();
  Drain(session);
  session.peer.window = 0;
  session.peer.Send("hello");
  session.peer.Close();
  EXPECT_EQ(session.state(), ConnectionState::kFinishing);
  session.Advance(absl::Seconds(1));
  EXPECT_EQ(session.state(), ConnectionState::kFinishing);
  session.peer.Open(100);
  EXPECT_EQ(session.peer.received, "YOU SAID hello\n");
}

TEST(ConnectionDrainTest, OthersAreNotAwaited) {
  TestSession old;
  old.Start();
  old.Advance(absl::Seconds(1));
  Drain(old);
  EXPECT_TRUE(old.peer.fin);

  TestSession served;
  served.Start();
  served.peer.Send("hello\n");
  Drain(served);
  EXPECT_TRUE(served.peer.fin);

  // An operator has chosen this one.
  TestSession chosen;
  chosen.Start();
  Drain(chosen, CloseReason::kAdminGraceful);
  EXPECT_TRUE(chosen.peer.fin);
}

}  // namespace
}  // namespace echod
