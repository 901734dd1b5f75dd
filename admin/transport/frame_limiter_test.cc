// SPDX-License-Identifier: Apache-2.0

#include "admin/transport/frame_limiter.h"

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/time/time.h"
#include "echo/testing/fake_clock.h"
#include "gtest/gtest.h"

namespace echod {
namespace {

using Verdict = FrameLimiter::Verdict;

constexpr std::uint8_t kEndStream = Http2FrameHeader::kEndStream;

Http2FrameHeader Frame(Http2FrameType type, std::uint32_t stream = 0,
                       std::uint8_t flags = 0, std::uint32_t length = 5) {
  return {.length = length, .type = type, .flags = flags, .stream = stream};
}

class FrameLimiterTest : public ::testing::Test {
 protected:
  std::unique_ptr<FrameLimiter> NewLimiter() {
    return std::make_unique<FrameLimiter>(limits_, clock_, *budget_);
  }
  void Reset() {
    limiter_.reset();
    budget_ = std::make_unique<StreamBudget>(limits_, clock_);
    limiter_ = NewLimiter();
    next_stream_ = 1;
  }

  // Opens the next stream with a complete request.
  Verdict Open(FrameLimiter& limiter) {
    const Verdict verdict = limiter.OnClientFrame(
        Frame(Http2FrameType::kHeaders, next_stream_, kEndStream));
    next_stream_ += 2;
    return verdict;
  }
  Verdict OpenAndCancel(FrameLimiter& limiter) {
    if (const Verdict opened = Open(limiter); opened != Verdict::kPass) {
      return opened;
    }
    return limiter.OnClientFrame(
        Frame(Http2FrameType::kRstStream, next_stream_ - 2));
  }
  Verdict OpenAndServe(FrameLimiter& limiter) {
    if (const Verdict opened = Open(limiter); opened != Verdict::kPass) {
      return opened;
    }
    return limiter.OnServerFrame(
        Frame(Http2FrameType::kHeaders, next_stream_ - 2, kEndStream));
  }

  // Calls `send` until a frame does not pass; returns how many did.
  template <typename Send>
  int CountPassing(Send send, Verdict* last) {
    for (int i = 0; i < 100'000; ++i) {
      *last = send();
      if (*last != Verdict::kPass) return i;
    }
    return 100'000;
  }

  FakeClock clock_;
  FrameLimits limits_ = {.resets = 30,
                         .control_frames = 20,
                         .window_updates = 50,
                         .continuations = 3,
                         .streams = 40,
                         .all_abandoned = 100,
                         .all_streams = 100,
                         .always = 2,
                         .always_incomplete = 4,
                         .all_held = 100'000,
                         .always_held = 20'000,
                         .most_held_by_frame = 10'000};
  std::uint32_t next_stream_ = 1;
  std::unique_ptr<StreamBudget> budget_ =
      std::make_unique<StreamBudget>(limits_, clock_);
  std::unique_ptr<FrameLimiter> limiter_ = NewLimiter();
};

TEST_F(FrameLimiterTest, RejectsResetsThatComeTooFast) {
  Verdict last;
  EXPECT_EQ(CountPassing([&] { return OpenAndCancel(*limiter_); }, &last), 30);
  EXPECT_EQ(last, Verdict::kReject);
  EXPECT_EQ(limiter_->rejection(), AdminRejection::kStreamResets);
}

TEST_F(FrameLimiterTest, CountsResetsThatTheServerIsBroughtTo) {
  Verdict last;
  const auto provoke = [&] {
    Open(*limiter_);
    return limiter_->OnServerFrame(
        Frame(Http2FrameType::kRstStream, next_stream_ - 2));
  };
  EXPECT_EQ(CountPassing(provoke, &last), 30);
  EXPECT_EQ(limiter_->rejection(), AdminRejection::kStreamResets);
}

TEST_F(FrameLimiterTest, AStreamThatBothSidesResetCountsOnce) {
  for (int i = 0; i < 30; ++i) {
    ASSERT_EQ(OpenAndCancel(*limiter_), Verdict::kPass);
    ASSERT_EQ(limiter_->OnServerFrame(
                  Frame(Http2FrameType::kRstStream, next_stream_ - 2)),
              Verdict::kPass);
  }
}

TEST_F(FrameLimiterTest, ASecondLaterCountsAnew) {
  for (int second = 0; second < 5; ++second) {
    for (int i = 0; i < 30; ++i) {
      ASSERT_EQ(OpenAndCancel(*limiter_), Verdict::kPass);
    }
    clock_.Advance(absl::Seconds(1));
  }
}

TEST_F(FrameLimiterTest, CountsFramesThatCarryNothing) {
  const std::vector<Http2FrameHeader> empty = {
      Frame(Http2FrameType::kPing),
      Frame(Http2FrameType::kSettings),
      Frame(Http2FrameType::kSettings, 0, Http2FrameHeader::kAck, 0),
      Frame(Http2FrameType::kPriority, 5),
      Frame(Http2FrameType::kPushPromise, 5),
      Frame(Http2FrameType::kGoaway),
      Frame(Http2FrameType::kRstStream, 77),  // not open
      Frame(static_cast<Http2FrameType>(200)),
      Frame(Http2FrameType::kData, 1, 0, 0),
      Frame(Http2FrameType::kHeaders, 1)};  // trailers
  for (const Http2FrameHeader& frame : empty) {
    Reset();
    Open(*limiter_);
    Verdict last;
    EXPECT_EQ(
        CountPassing([&] { return limiter_->OnClientFrame(frame); }, &last), 20)
        << static_cast<int>(frame.type);
    EXPECT_EQ(last, Verdict::kReject);
    EXPECT_EQ(limiter_->rejection(), AdminRejection::kControlFrames);
  }
}

TEST_F(FrameLimiterTest, LimitsWindowUpdatesByThemselves) {
  Verdict last;
  EXPECT_EQ(CountPassing(
                [&] {
                  return limiter_->OnClientFrame(
                      Frame(Http2FrameType::kWindowUpdate));
                },
                &last),
            50);
  EXPECT_EQ(last, Verdict::kReject);
}

TEST_F(FrameLimiterTest, LimitsTheContinuationsOfABlockHoweverSlow) {
  const auto next = [&] {
    clock_.Advance(absl::Seconds(10));
    return limiter_->OnClientFrame(Frame(Http2FrameType::kContinuation, 1));
  };
  for (int block = 0; block < 3; ++block) {
    Open(*limiter_);
    for (int i = 0; i < 3; ++i) ASSERT_EQ(next(), Verdict::kPass);
  }
  EXPECT_EQ(next(), Verdict::kReject);
  EXPECT_EQ(limiter_->rejection(), AdminRejection::kControlFrames);
}

TEST_F(FrameLimiterTest, LimitsOpenStreams) {
  Verdict last;
  EXPECT_EQ(CountPassing([&] { return Open(*limiter_); }, &last), 40);
  EXPECT_EQ(last, Verdict::kReject);
  EXPECT_EQ(limiter_->rejection(), AdminRejection::kOpenStreams);
}

TEST_F(FrameLimiterTest, DataIsNoFloodAndServedStreamsCostNothing) {
  for (int i = 0; i < 100'000; ++i) {
    ASSERT_EQ(OpenAndServe(*limiter_), Verdict::kPass);
    ASSERT_EQ(limiter_->OnClientFrame(Frame(Http2FrameType::kData, 1)),
              Verdict::kPass);
    // Clients often end a stream with a separate frame.
    ASSERT_EQ(
        limiter_->OnClientFrame(Frame(Http2FrameType::kData, 1, kEndStream, 0)),
        Verdict::kPass);
  }
}

TEST_F(FrameLimiterTest, AClientMayPingForEachAnswer) {
  for (int i = 0; i < 1000; ++i) {
    ASSERT_EQ(OpenAndServe(*limiter_), Verdict::kPass);
    ASSERT_EQ(limiter_->OnServerFrame(Frame(Http2FrameType::kData, 1)),
              Verdict::kPass);
    ASSERT_EQ(limiter_->OnClientFrame(Frame(Http2FrameType::kPing)),
              Verdict::kPass);
  }
  // Unused frames do not carry over.
  Verdict last;
  EXPECT_LE(
      CountPassing(
          [&] { return limiter_->OnClientFrame(Frame(Http2FrameType::kPing)); },
          &last),
      20);
}

TEST_F(FrameLimiterTest, AbandonedStreamsOfAllHoldUpThoseThatMakeMore) {
  // Streams that end with their connections count, too.
  for (int i = 0; i < 5; ++i) {
    const std::unique_ptr<FrameLimiter> other = NewLimiter();
    for (int k = 0; k < 20; ++k) {
      ASSERT_EQ(Open(*other), Verdict::kPass);
    }
  }
  Verdict last;
  EXPECT_EQ(CountPassing([&] { return OpenAndCancel(*limiter_); }, &last), 2);
  EXPECT_EQ(last, Verdict::kPause);
  EXPECT_TRUE(limiter_->MustPause());
  // A client whose calls are answered is not delayed, regardless of their
  // number.
  const std::unique_ptr<FrameLimiter> honest = NewLimiter();
  EXPECT_EQ(CountPassing([&] { return OpenAndServe(*honest); }, &last),
            100'000);
  clock_.Advance(absl::Seconds(1));
  EXPECT_FALSE(limiter_->MustPause());
  EXPECT_EQ(OpenAndCancel(*limiter_), Verdict::kPass);
}

// The frame that completes a request may follow the beginnings of other
// requests, and must not wait for them.
TEST_F(FrameLimiterTest, RequestsThatComeInPartsAreCompleted) {
  std::vector<std::unique_ptr<FrameLimiter>> others;
  for (int i = 0; i < 5; ++i) {
    others.push_back(NewLimiter());
    for (int k = 0; k < 20; ++k) Open(*others.back());
  }
  for (const std::uint32_t stream : {1001, 1003, 1005, 1007}) {
    EXPECT_EQ(limiter_->OnClientFrame(Frame(Http2FrameType::kHeaders, stream)),
              Verdict::kPass);
  }
  for (const std::uint32_t stream : {1001, 1003, 1005, 1007}) {
    EXPECT_EQ(limiter_->OnClientFrame(
                  Frame(Http2FrameType::kData, stream, kEndStream)),
              Verdict::kPass);
  }
  EXPECT_TRUE(limiter_->MustPause());
  for (const std::uint32_t stream : {1001, 1003}) {
    limiter_->OnServerFrame(
        Frame(Http2FrameType::kHeaders, stream, kEndStream));
  }
  EXPECT_FALSE(limiter_->MustPause());
}

TEST_F(FrameLimiterTest, OpenStreamsOfAllHoldUpThoseThatHaveMost) {
  std::vector<std::unique_ptr<FrameLimiter>> others;
  for (int i = 0; i < 5; ++i) {
    others.push_back(NewLimiter());
    for (int k = 0; k < 20; ++k) Open(*others.back());
  }
  Verdict last;
  EXPECT_EQ(CountPassing([&] { return Open(*limiter_); }, &last), 2);
  EXPECT_EQ(last, Verdict::kPause);
  clock_.Advance(absl::Seconds(5));
  EXPECT_TRUE(limiter_->MustPause());
  others.pop_back();
  EXPECT_FALSE(limiter_->MustPause());
}

// gRPC keeps the buffer of a partial message, so everything between two parts
// counts.
TEST_F(FrameLimiterTest, RejectsRequestsInPartsThatHoldMemory) {
  limiter_->OnClientFrame(Frame(Http2FrameType::kHeaders, 1));
  Verdict last;
  const auto send = [&] {
    limiter_->OnClientFrame(Frame(Http2FrameType::kData, 99, 0, 9000));
    return limiter_->OnClientFrame(Frame(Http2FrameType::kData, 1, 0, 24));
  };
  const int passed = CountPassing(send, &last);
  EXPECT_EQ(last, Verdict::kReject);
  EXPECT_EQ(limiter_->rejection(), AdminRejection::kHeldBytes);
  EXPECT_GE(passed, 5);
  EXPECT_LE(passed, 11);
}

TEST_F(FrameLimiterTest, SmallPartsCountMoreThanTheirBytes) {
  limiter_->OnClientFrame(Frame(Http2FrameType::kHeaders, 1));
  Verdict last;
  EXPECT_LT(CountPassing(
                [&] {
                  return limiter_->OnClientFrame(
                      Frame(Http2FrameType::kData, 1, 0, 24));
                },
                &last),
            100'000 / 80);
  EXPECT_EQ(limiter_->rejection(), AdminRejection::kHeldBytes);
}

TEST_F(FrameLimiterTest, WhatEndsHoldsNothing) {
  for (int i = 0; i < 1000; ++i) {
    const std::uint32_t stream = next_stream_;
    next_stream_ += 2;
    ASSERT_EQ(limiter_->OnClientFrame(Frame(Http2FrameType::kHeaders, stream)),
              Verdict::kPass);
    ASSERT_EQ(limiter_->OnClientFrame(
                  Frame(Http2FrameType::kData, stream, kEndStream, 9000)),
              Verdict::kPass);
    limiter_->OnServerFrame(
        Frame(Http2FrameType::kHeaders, stream, kEndStream));
    if (i % 100 == 0) clock_.Advance(absl::Seconds(1));
  }
  for (int i = 0; i < 50; ++i) {
    const std::unique_ptr<FrameLimiter> other = NewLimiter();
    ASSERT_EQ(other->OnClientFrame(Frame(Http2FrameType::kHeaders, 1)),
              Verdict::kPass);
    ASSERT_EQ(other->OnClientFrame(Frame(Http2FrameType::kData, 1, 0, 9000)),
              Verdict::kPass);
    clock_.Advance(absl::Seconds(1));
  }
}

TEST_F(FrameLimiterTest, LittleMayBeHeldWhenTheRestIsUsedUp) {
  budget_->Hold(1'000'000);
  limiter_->OnClientFrame(Frame(Http2FrameType::kHeaders, 1));
  EXPECT_EQ(limiter_->OnClientFrame(Frame(Http2FrameType::kData, 1, 0, 9000)),
            Verdict::kPass);
  EXPECT_EQ(limiter_->OnClientFrame(Frame(Http2FrameType::kData, 1, 0, 9000)),
            Verdict::kPass);
  EXPECT_EQ(limiter_->OnClientFrame(Frame(Http2FrameType::kData, 1, 0, 9000)),
            Verdict::kReject);
  budget_->Release(1'000'000);
}

}  // namespace
}  // namespace echod
