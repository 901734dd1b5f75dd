// SPDX-License-Identifier: Apache-2.0

// What a connection makes of what its transport does: short writes, reads that
// would block, failures at every step.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "echo/control/close_reason.h"
#include "echo/control/listener_settings.h"
#include "echo/control/stats.h"
#include "echo/net/transport.h"
#include "echo/session/connection_state.h"
#include "echo/testing/fake_transport.h"
#include "echo/testing/test_session.h"
#include "gtest/gtest.h"

namespace echod {
namespace {

using Failure = Transport::Failure;

std::int64_t ClosedInTotal(const Counters& counters) {
  return std::accumulate(counters.closed.begin(), counters.closed.end(),
                         std::int64_t{0});
}

// The connection has ended for `reason`, and nothing is left of it.
void ExpectEnded(TestSession& session, CloseReason reason) {
  EXPECT_EQ(session.state(), ConnectionState::kEnded);
  ASSERT_TRUE(session.closed().has_value());
  EXPECT_EQ(CloseReasonName(*session.closed()), CloseReasonName(reason));
  EXPECT_TRUE(session.peer.destroyed);
  const Counters counters = session.Read();
  EXPECT_EQ(counters.accepted, 1);
  EXPECT_EQ(counters.active, 0);
  EXPECT_EQ(counters.bytes_buffered, 0);
  EXPECT_EQ(ClosedInTotal(counters), 1);
  EXPECT_EQ(counters.closed[static_cast<std::size_t>(reason)], 1);
}

TEST(ConnectionTransportTest, ShortWritesKeepTheOrder) {
  std::mt19937 random(11);
  for (const EchoMode mode : {EchoMode::kRaw, EchoMode::kLine}) {
    for (int round = 0; round < 50; ++round) {
      TestSession session({.mode = mode, .max_buffered_bytes = 512});
      session.Start();
      FakePeer& peer = session.peer;
      peer.window = 0;
      std::string sent;
      std::string expected;
      for (int i = 0; i < 200; ++i) {
        const std::string line(random() % 40, static_cast<char>('a' + i % 26));
        absl::StrAppend(&sent, line, "\n");
        absl::StrAppend(&expected, mode == EchoMode::kLine ? "YOU SAID " : "",
                        line, "\n");
      }
      for (std::size_t at = 0; at < sent.size();) {
        const std::size_t size = 1 + random() % 300;
        peer.Send(sent.substr(at, size));
        at += size;
        ASSERT_LE(session.Read().bytes_buffered, 512 + 50);
        peer.Open(random() % 200);
        peer.Deliver();
      }
      peer.input.emplace_back(FakePeer::Read::kEnd, "");
      while (session.state() != ConnectionState::kEnded) {
        peer.Open(1 + random() % 200);
        peer.Deliver();
      }
      ASSERT_EQ(peer.received, expected);
      ExpectEnded(session, CloseReason::kPeerClosed);
      EXPECT_FALSE(peer.aborted);
    }
  }
}

TEST(ConnectionTransportTest, AReadThatWouldBlockIsNothing) {
  TestSession session;
  session.Start();
  session.peer.Fail(FakePeer::Read::kWouldBlock);
  EXPECT_TRUE(session.peer.reading);
  session.peer.Send("on\n");
  EXPECT_EQ(session.peer.received, "YOU SAID on\n");
}

TEST(ConnectionTransportTest, StopsAtTheLimitAndReadsOnAtHalfOfIt) {
  TestSession session({.mode = EchoMode::kRaw, .max_buffered_bytes = 100});
  session.Start();
  FakePeer& peer = session.peer;
  peer.window = 0;
  peer.Send(std::string(1000, 'x'));
  EXPECT_FALSE(peer.reading);
  EXPECT_EQ(peer.waiting.size(), 100u);
  EXPECT_EQ(session.events(), "op");
  peer.Open(49);
  EXPECT_FALSE(peer.reading);
  peer.Open(1);
  EXPECT_TRUE(peer.reading);
  EXPECT_EQ(session.events(), "opr");
  EXPECT_EQ(session.Read().read_pauses, 1);
  peer.window = 0;
  peer.Deliver();
  EXPECT_EQ(peer.waiting.size(), 100u);
  EXPECT_EQ(session.events(), "oprp");
}

TEST(ConnectionTransportTest, HoldsInputWhoseAnswersHaveNoRoom) {
  TestSession session({.max_buffered_bytes = 100});
  session.Start();
  FakePeer& peer = session.peer;
  peer.window = 0;
  peer.Send(std::string(80, '\n'));
  EXPECT_FALSE(peer.reading);
  EXPECT_LE(session.Read().bytes_buffered, 110);
  EXPECT_LT(session.Read().lines_echoed, 80);
  EXPECT_EQ(session.events(), "op");
  peer.Open(10'000);
  EXPECT_EQ(session.Read().lines_echoed, 80);
  EXPECT_EQ(peer.received.size(), 800u);
  EXPECT_EQ(session.Read().bytes_buffered, 0);
}

TEST(ConnectionTransportTest, ReadsOnlyWhenNoReasonIsLeftNotTo) {
  TestSession session({.mode = EchoMode::kRaw, .max_buffered_bytes = 1000});
  session.Start();
  FakePeer& peer = session.peer;
  peer.window = 0;
  peer.Send(std::string(400, 'x'));
  peer.Fail(FakePeer::Read::kShortage);
  EXPECT_FALSE(peer.reading);
  EXPECT_EQ(session.events(), "o");
  // Back-pressure, too.
  session.ChangeSettings({.mode = EchoMode::kRaw, .max_buffered_bytes = 100});
  EXPECT_EQ(session.events(), "op");
  // The one reason goes, the other stays.
  session.Advance(absl::Milliseconds(50));
  EXPECT_FALSE(peer.reading);
  peer.Open(400);
  EXPECT_TRUE(peer.reading);
  EXPECT_EQ(session.events(), "opr");
}

TEST(ConnectionTransportTest, ALongShortageEndsTheConnection) {
  TestSession session;
  session.Start();
  for (int i = 0; i < 1000 && !session.closed().has_value(); ++i) {
    session.peer.Fail(FakePeer::Read::kShortage);
    session.Advance(absl::Milliseconds(100));
  }
  ExpectEnded(session, CloseReason::kResourceExhausted);
}

TEST(ConnectionTransportTest, OutputThatFailsForAShortageIsTriedAgain) {
  TestSession session({.mode = EchoMode::kRaw});
  session.Start();
  FakePeer& peer = session.peer;
  peer.window = 0;
  peer.Send("echo");
  peer.transport->FailOutput(Failure::kShortage);
  EXPECT_EQ(peer.resumes, 0);
  session.Advance(absl::Milliseconds(50));
  EXPECT_EQ(peer.resumes, 1);
  peer.Open(10);
  EXPECT_EQ(peer.received, "echo");
}

TEST(ConnectionTransportTest, ANewConnectionThatCannotBeWatchedEnds) {
  TestSession session;
  session.peer.can_watch = false;
  session.Start();
  ExpectEnded(session, CloseReason::kResourceExhausted);
  EXPECT_TRUE(session.peer.aborted);
  EXPECT_EQ(session.events(), "oc");
}

TEST(ConnectionTransportTest, APausedConnectionThatCannotBeWatchedEnds) {
  TestSession session({.mode = EchoMode::kRaw, .max_buffered_bytes = 100});
  session.Start();
  session.peer.window = 0;
  session.peer.Send(std::string(100, 'x'));
  session.peer.can_watch = false;
  session.peer.Open(100);
  ExpectEnded(session, CloseReason::kResourceExhausted);
  EXPECT_EQ(session.events(), "opc");
}

// A failure, the states in which it can happen, and the close reason it gives.
struct Fault {
  const char* name;
  void (*cause)(TestSession& session);
  std::vector<ConnectionState> states;
  CloseReason reason;
};

const Fault kFaults[] = {
    {"a read finds the connection lost",
     [](TestSession& session) { session.peer.Fail(FakePeer::Read::kLost); },
     {ConnectionState::kOpen, ConnectionState::kDraining,
      ConnectionState::kFlushing, ConnectionState::kDelivering,
      ConnectionState::kLingering},
     CloseReason::kPeerReset},
    {"a write finds the connection lost",
     [](TestSession& session) {
       session.peer.write_status = FakePeer::Write::kLost;
       session.peer.Send("\n");
     },
     {ConnectionState::kOpen, ConnectionState::kDraining},
     CloseReason::kPeerReset},
    {"a write finds no memory for output that must wait",
     [](TestSession& session) {
       session.peer.write_status = FakePeer::Write::kExhausted;
       session.peer.Send("\n");
     },
     {ConnectionState::kOpen, ConnectionState::kDraining},
     CloseReason::kResourceExhausted},
    {"waiting output finds the connection lost",
     [](TestSession& session) {
       if (session.peer.waiting.empty()) return;
       session.peer.transport->FailOutput(Failure::kLost);
     },
     {ConnectionState::kHalfClosed, ConnectionState::kFlushing,
      ConnectionState::kFinishing},
     CloseReason::kPeerReset},
    {"waiting output cannot be watched after a shortage",
     [](TestSession& session) {
       if (session.peer.waiting.empty()) return;
       session.peer.transport->FailOutput(Failure::kShortage);
       session.peer.can_watch = false;
       session.Advance(absl::Milliseconds(50));
     },
     {ConnectionState::kHalfClosed, ConnectionState::kFlushing,
      ConnectionState::kFinishing},
     CloseReason::kResourceExhausted},
    {"the kernel finds the peer dead",
     [](TestSession& session) {
       session.peer.broken = true;
       session.Advance(absl::Milliseconds(100));
     },
     {ConnectionState::kDelivering, ConnectionState::kConfirming},
     CloseReason::kPeerReset},
};

TEST(ConnectionTransportTest, AFailureAtAnyStepEndsItCleanly) {
  for (const Fault& fault : kFaults) {
    for (int i = 0; i < kConnectionStates - 1; ++i) {
      const auto state = static_cast<ConnectionState>(i);
      SCOPED_TRACE(absl::StrCat(fault.name, " while ", Name(state)));
      TestSession session(WalkSettings());
      session.Start();
      WalkTo(session, state);
      fault.cause(session);
      if (std::count(fault.states.begin(), fault.states.end(), state) > 0) {
        ExpectEnded(session, fault.reason);
        EXPECT_TRUE(session.peer.aborted);
      } else {
        EXPECT_EQ(session.state(), state);
        Apply(session, ConnectionEvent::kCut);
        ExpectEnded(session, CloseReason::kAdminReset);
      }
    }
  }
}

}  // namespace
}  // namespace echod
