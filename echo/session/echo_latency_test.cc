// SPDX-License-Identifier: Apache-2.0

// What a connection measures: how long its peer waits for an echo, and how long
// it lasts.

#include <cstdint>
#include <string>

#include "absl/time/time.h"
#include "echo/base/histogram.h"
#include "echo/control/close_reason.h"
#include "echo/control/listener_settings.h"
#include "echo/control/stats.h"
#include "echo/testing/fake_transport.h"
#include "echo/testing/test_session.h"
#include "gtest/gtest.h"

namespace echod {
namespace {

Histogram Latency(const TestSession& session) {
  return session.Read().echo_latency;
}

std::uint64_t Nanos(absl::Duration duration) {
  return static_cast<std::uint64_t>(absl::ToInt64Nanoseconds(duration));
}

TEST(EchoLatencyTest, CountsEachReadThatIsAnswered) {
  TestSession session;
  session.Start();
  session.peer.Send("par");  // nothing to answer yet
  EXPECT_EQ(Latency(session).count(), 0u);
  session.Advance(absl::Seconds(5));
  session.peer.Send("tial\n");
  EXPECT_EQ(Latency(session).count(), 1u);
  session.peer.Send("a\nb\nc\n");
  EXPECT_EQ(Latency(session).count(), 2u);
  // The client's time is not the server's.
  EXPECT_EQ(Latency(session).sum(), 0u);
}

TEST(EchoLatencyTest, LastsUntilTheKernelHasTheEcho) {
  for (const EchoMode mode : {EchoMode::kRaw, EchoMode::kLine}) {
    TestSession session({.mode = mode});
    session.Start();
    session.peer.during_write = [&] {
      session.clock().Advance(absl::Microseconds(30));
    };
    session.peer.Send("hello\n");
    EXPECT_EQ(Latency(session).count(), 1u);
    EXPECT_EQ(Latency(session).sum(), Nanos(absl::Microseconds(30)));
  }
}

TEST(EchoLatencyTest, AnUnfinishedLineIsAnsweredAtTheEnd) {
  TestSession session;
  session.Start();
  session.peer.Send("no end");
  session.Advance(absl::Seconds(5));
  session.peer.during_write = [&] {
    session.clock().Advance(absl::Microseconds(30));
  };
  session.peer.Close();
  EXPECT_EQ(Latency(session).count(), 1u);
  EXPECT_EQ(Latency(session).sum(), Nanos(absl::Microseconds(30)));
}

TEST(EchoLatencyTest, AnOverlongLineIsAnsweredWithAnError) {
  TestSession session({.max_line_bytes = 4});
  session.Start();
  session.peer.Send("too long\n");
  EXPECT_EQ(Latency(session).count(), 1u);
}

TEST(EchoLatencyTest, OutputThatWaitsCountsWhenTheKernelTakesItsLastByte) {
  TestSession session({.mode = EchoMode::kRaw});
  session.Start();
  FakePeer& peer = session.peer;
  peer.window = 4;
  peer.Send("abcd");
  EXPECT_EQ(Latency(session).count(), 1u);
  peer.Send("ef");
  session.Advance(absl::Milliseconds(10));
  peer.Send("gh");
  session.Advance(absl::Milliseconds(20));
  EXPECT_EQ(Latency(session).count(), 1u);
  peer.Open(3);  // "ef", and a byte of the next
  EXPECT_EQ(Latency(session).count(), 2u);
  EXPECT_EQ(Latency(session).sum(), Nanos(absl::Milliseconds(30)));
  session.Advance(absl::Milliseconds(5));
  peer.Open(1);
  EXPECT_EQ(Latency(session).count(), 3u);
  EXPECT_EQ(Latency(session).sum(), Nanos(absl::Milliseconds(30 + 25)));
  // As at first.
  peer.Open(100);
  peer.Send("ij");
  EXPECT_EQ(Latency(session).count(), 4u);
  EXPECT_EQ(Latency(session).sum(), Nanos(absl::Milliseconds(30 + 25)));
}

TEST(EchoLatencyTest, APartlySentEchoWaits) {
  TestSession session({.mode = EchoMode::kRaw});
  session.Start();
  session.peer.window = 3;
  session.peer.Send("abcd");
  EXPECT_EQ(Latency(session).count(), 0u);
  session.Advance(absl::Milliseconds(7));
  session.peer.Open(1);
  EXPECT_EQ(Latency(session).count(), 1u);
  EXPECT_EQ(Latency(session).sum(), Nanos(absl::Milliseconds(7)));
}

// The answer to an empty line is ten times as long, so some of what was read
// has to be held back. It is answered later, and was read before.
TEST(EchoLatencyTest, InputThatIsHeldBackCountsFromItsReading) {
  TestSession session({.mode = EchoMode::kLine, .max_buffered_bytes = 100});
  session.Start();
  FakePeer& peer = session.peer;
  peer.window = 0;
  peer.Send(std::string(100, '\n'));
  session.Advance(absl::Seconds(1));
  while (peer.received.size() < 1000) {
    peer.Open(10);
    ASSERT_FALSE(peer.destroyed);
  }
  const Histogram latency = Latency(session);
  EXPECT_GE(latency.count(), 2u);
  EXPECT_EQ(latency.sum(), latency.count() * Nanos(absl::Seconds(1)));
  // Nothing is left of it.
  peer.Open(100);
  peer.Send("x\n");
  EXPECT_EQ(Latency(session).sum(), latency.sum());
}

TEST(EchoLatencyTest, CountsAllReadsHoweverManyWait) {
  constexpr std::uint64_t kReads = 1'000;
  TestSession session({.mode = EchoMode::kRaw});
  session.Start();
  session.peer.window = 0;
  for (std::uint64_t i = 0; i < kReads; ++i) {
    session.peer.Send("x");
    session.clock().Advance(absl::Milliseconds(1));
  }
  session.peer.Open(kReads);
  const Histogram latency = Latency(session);
  EXPECT_EQ(latency.count(), kReads);
  // The truth is 500 ms on average.
  EXPECT_GT(latency.Mean(), Nanos(absl::Milliseconds(400)));
  EXPECT_LT(latency.Mean(), Nanos(absl::Milliseconds(600)));
}

TEST(EchoLatencyTest, WhatTheKernelNeverTookDoesNotCount) {
  TestSession session({.mode = EchoMode::kRaw});
  session.Start();
  session.peer.window = 0;
  session.peer.Send("lost");
  session.connection()->Reset(CloseReason::kAdminReset);
  EXPECT_EQ(session.state(), ConnectionState::kEnded);
  EXPECT_EQ(Latency(session).count(), 0u);
}

TEST(ConnectionDurationTest, CountsEachConnectionWhenItHasClosed) {
  TestSession session;
  session.Start();
  session.Advance(absl::Seconds(5) + absl::Microseconds(3));
  EXPECT_EQ(session.Read().connection_duration.count(), 0u);
  session.peer.Close();
  const Histogram duration = session.Read().connection_duration;
  EXPECT_EQ(duration.count(), 1u);
  EXPECT_EQ(duration.sum(), 5'000'003u);
}

}  // namespace
}  // namespace echod
