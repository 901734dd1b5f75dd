// SPDX-License-Identifier: Apache-2.0

#include "echo/protocol/line_codec.h"

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "echo/protocol/codec.h"
#include "gtest/gtest.h"

namespace echod {
namespace {

constexpr std::size_t kNoLimit = std::size_t{1} << 40;

// A codec, and everything it has answered. Each input is taken whole.
struct Conversation {
  explicit Conversation(std::size_t limit = 64 * 1024)
      : limits{.max_line_bytes = limit,
               .batch_bytes = kNoLimit,
               .extra_bytes = kNoLimit} {}

  Codec::Answer Take(absl::string_view input) {
    return Noted(codec.Receive(input, limits, buffer));
  }
  Codec::Answer Finish() { return Noted(codec.Finish(limits, buffer)); }

  Codec::Answer Noted(const Codec::Answer& answer) {
    absl::StrAppend(&output, answer.bytes);
    lines += answer.lines;
    return answer;
  }

  Codec::Limits limits;
  LineCodec codec;
  std::string buffer = "not empty";
  std::string output;
  std::int64_t lines = 0;
};

TEST(LineCodecTest, AnswersEveryLineOfOneInput) {
  Conversation talk;
  EXPECT_EQ(talk.Take("one\ntwo\r\n\nthree\n").consumed, 16u);
  EXPECT_EQ(talk.output,
            "YOU SAID one\nYOU SAID two\nYOU SAID \nYOU SAID three\n");
  EXPECT_EQ(talk.lines, 4);
}

TEST(LineCodecTest, TakesBytesAsTheyAre) {
  Conversation talk;
  const std::string line("\0\xff\r\x80 \t\0", 7);
  talk.Take(line + "\n");
  EXPECT_EQ(talk.output, "YOU SAID " + line + "\n");
}

TEST(LineCodecTest, TakesOneCarriageReturnOffTheEndOnly) {
  Conversation talk;
  talk.Take("a\r\r\n\rb\n\r\n");
  EXPECT_EQ(talk.output, "YOU SAID a\r\nYOU SAID \rb\nYOU SAID \n");
}

TEST(LineCodecTest, AnswersALastLineWithoutEnd) {
  Conversation talk;
  talk.Take("one\ntwo\r");
  EXPECT_EQ(talk.codec.partial_bytes(), 4u);
  EXPECT_EQ(talk.Finish().lines, 1);
  // Without an LF the CR is a byte like any other.
  EXPECT_EQ(talk.output, "YOU SAID one\nYOU SAID two\r\n");
  EXPECT_EQ(talk.Finish().lines, 0);
}

TEST(LineCodecTest, NothingPartialIsNothingToFinish) {
  Conversation talk;
  talk.Take("one\n");
  talk.Finish();
  EXPECT_EQ(talk.output, "YOU SAID one\n");
}

TEST(LineCodecTest, TheSplitDoesNotMatter) {
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    std::string input;
    for (int i = 0; i < 200; ++i) {
      input.push_back("\n\r\nab\0"[random() % 6]);
    }
    Conversation whole;
    whole.Take(input);
    whole.Finish();
    Conversation split;
    for (std::size_t at = 0; at < input.size();) {
      const std::size_t size = 1 + random() % 5;
      const absl::string_view piece = absl::string_view(input).substr(at, size);
      ASSERT_EQ(split.Take(piece).consumed, piece.size());
      at += piece.size();
    }
    split.Finish();
    ASSERT_EQ(split.output, whole.output) << "round " << round;
    ASSERT_EQ(split.lines, whole.lines);
  }
}

TEST(LineCodecTest, ALineOfExactlyTheLimitIsAnsweredHoweverItEnds) {
  for (const char* end : {"\n", "\r\n"}) {
    Conversation whole(4);
    EXPECT_FALSE(whole.Take(absl::StrCat("1234", end)).line_too_long);
    EXPECT_EQ(whole.output, "YOU SAID 1234\n");
    Conversation split(4);
    for (const char byte : absl::StrCat("1234", end)) {
      ASSERT_FALSE(split.Take(absl::string_view(&byte, 1)).line_too_long);
    }
    EXPECT_EQ(split.output, "YOU SAID 1234\n");
  }
}

TEST(LineCodecTest, OneByteMoreIsTooLongHoweverItComes) {
  for (const char* line :
       {"12345\n", "12345\r\n", "12345", "1234\r\r", "1234\rx"}) {
    Conversation whole(4);
    whole.Take("ok\n");
    EXPECT_TRUE(whole.Take(line).line_too_long) << line;
    EXPECT_EQ(whole.output, "YOU SAID ok\nERROR line exceeds 4 bytes\n");
    EXPECT_EQ(whole.lines, 1);
    Conversation split(4);
    bool too_long = false;
    for (const char byte : absl::string_view(line)) {
      too_long =
          too_long || split.Take(absl::string_view(&byte, 1)).line_too_long;
      if (too_long) break;
    }
    EXPECT_TRUE(too_long) << line;
    EXPECT_EQ(split.output, "ERROR line exceeds 4 bytes\n");
  }
}

TEST(LineCodecTest, ACarriageReturnThatEndsTheInputCounts) {
  Conversation talk(4);
  EXPECT_FALSE(talk.Take("1234\r").line_too_long);
  EXPECT_TRUE(talk.Finish().line_too_long);
  EXPECT_EQ(talk.output, "ERROR line exceeds 4 bytes\n");
}

TEST(LineCodecTest, ALoweredLimitHoldsForTheLineUnderWay) {
  Conversation talk(100);
  talk.Take("12345678");
  talk.limits.max_line_bytes = 4;
  EXPECT_TRUE(talk.Take("9\n").line_too_long);
  EXPECT_EQ(talk.output, "ERROR line exceeds 4 bytes\n");
}

TEST(LineCodecTest, StopsBetweenLinesWhenTheBatchIsFull) {
  Conversation talk;
  absl::string_view input = "one\ntwo\nthree\nhalf";
  talk.limits.batch_bytes = 14;
  Codec::Answer answer = talk.Take(input);
  EXPECT_EQ(answer.consumed, 8u);
  EXPECT_EQ(answer.lines, 2);
  EXPECT_EQ(answer.bytes, "YOU SAID one\nYOU SAID two\n");
  input.remove_prefix(answer.consumed);
  talk.limits.batch_bytes = 15;
  answer = talk.Take(input);
  EXPECT_EQ(answer.consumed, 6u);
  input.remove_prefix(answer.consumed);
  answer = talk.Take(input);
  EXPECT_EQ(answer.consumed, 4u);
  EXPECT_EQ(talk.codec.partial_bytes(), 4u);
  EXPECT_EQ(answer.bytes, "");
}

// An answer is nine bytes longer than its line and LF.
TEST(LineCodecTest, StopsBetweenLinesWhenThereIsNoRoomForMore) {
  Conversation talk;
  talk.limits.extra_bytes = 10;
  EXPECT_EQ(talk.Take("one\ntwo\nthree\n").consumed, 8u);
  talk.limits.extra_bytes = 9;
  EXPECT_EQ(talk.Take("one\ntwo\nthree\n").consumed, 4u);
  talk.limits.extra_bytes = 0;
  EXPECT_EQ(talk.Take("one\ntwo\nthree\n").consumed, 0u);
  EXPECT_EQ(talk.Take("half").consumed, 0u);
  EXPECT_EQ(talk.codec.partial_bytes(), 0u);
}

}  // namespace
}  // namespace echod
