// SPDX-License-Identifier: Apache-2.0

// Drives a connection through every transition of the table, and shows that it
// makes no other.

#include "echo/session/connection_state.h"

#include "absl/time/time.h"
#include "echo/control/close_reason.h"
#include "echo/testing/test_session.h"
#include "gtest/gtest.h"

namespace echod {
namespace {

TEST(ConnectionStateTest, EveryStateCanBeReached) {
  for (int i = 0; i < kConnectionStates; ++i) {
    const auto state = static_cast<ConnectionState>(i);
    TestSession session(WalkSettings());
    session.Start();
    WalkTo(session, state);
    EXPECT_EQ(session.state(), state) << Name(state);
  }
}

TEST(ConnectionStateTest, EachEventLeadsWhereTheTableSaysAndOnlyThere) {
  for (int i = 0; i < kConnectionStates; ++i) {
    for (int j = 0; j < kConnectionEvents; ++j) {
      const auto from = static_cast<ConnectionState>(i);
      const auto event = static_cast<ConnectionEvent>(j);
      TestSession session(WalkSettings());
      session.Start();
      WalkTo(session, from);
      ASSERT_EQ(session.state(), from);
      Apply(session, event);
      EXPECT_EQ(session.state(), Next(from, event))
          << Name(event) << " while " << Name(from);
    }
  }
}

TEST(ConnectionStateTest, NoStateHasTwoWaysForOneEvent) {
  for (const ConnectionTransition& one : kConnectionTransitions) {
    int ways = 0;
    for (const ConnectionTransition& other : kConnectionTransitions) {
      if (other.from == one.from && other.event == one.event) ++ways;
    }
    EXPECT_EQ(ways, 1) << Name(one.event) << " while " << Name(one.from);
  }
}

// The connection has said that it ends, and does so by its deadline, whatever
// the peer does not do.
TEST(ConnectionStateTest, EveryEndHasADeadline) {
  for (int i = 0; i < kConnectionStates - 1; ++i) {
    const auto state = static_cast<ConnectionState>(i);
    TestSession session(WalkSettings());
    session.Start();
    WalkTo(session, state);
    session.Advance(absl::Seconds(60));
    session.Advance(absl::Seconds(1));  // it may have been asleep
    EXPECT_EQ(session.state() == ConnectionState::kEnded, IsEnding(state))
        << Name(state);
    if (IsEnding(state) && state != ConnectionState::kLingering) {
      EXPECT_TRUE(session.peer.aborted) << Name(state);
    }
  }
}

// The FIN is sent exactly in the states that say so, or by closing the socket.
TEST(ConnectionStateTest, TheFinIsSentOnce) {
  for (int i = 0; i < kConnectionStates - 1; ++i) {
    const auto state = static_cast<ConnectionState>(i);
    TestSession session(WalkSettings());
    session.Start();
    WalkTo(session, state);
    EXPECT_EQ(session.peer.fin, HasSentFin(state)) << Name(state);
  }
}

TEST(ConnectionStateTest, GracefulEndsAreNoResets) {
  for (const ConnectionTransition& each : kConnectionTransitions) {
    if (each.to != ConnectionState::kEnded) continue;
    TestSession session(WalkSettings());
    session.Start();
    WalkTo(session, each.from);
    Apply(session, each.event);
    EXPECT_FALSE(session.peer.aborted) << Name(each.from);
    EXPECT_TRUE(session.closed() == CloseReason::kPeerClosed ||
                session.closed() == CloseReason::kAdminGraceful ||
                session.closed() == CloseReason::kLineTooLong)
        << Name(each.from);
  }
}

// Both sides have closed, so there is nothing to linger for.
TEST(ConnectionStateTest, APeersFinMakesTheLingerUnnecessary) {
  TestSession session(WalkSettings());
  session.Start();
  WalkTo(session, ConnectionState::kDelivering);
  session.peer.Close();
  EXPECT_FALSE(session.closed().has_value());
  Apply(session, ConnectionEvent::kConfirmed);
  EXPECT_TRUE(session.closed().has_value());
}

// A peer that has closed its side and dies is found dead by a drain, though
// nothing is read from it any more.
TEST(ConnectionStateTest, APeerThatDiesAfterItsFinIsNoticed) {
  TestSession session(WalkSettings());
  session.Start();
  WalkTo(session, ConnectionState::kConfirming);
  session.peer.broken = true;
  session.Advance(absl::Milliseconds(100));
  EXPECT_EQ(session.closed(), CloseReason::kPeerReset);
}

}  // namespace
}  // namespace echod
