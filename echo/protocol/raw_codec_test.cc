// SPDX-License-Identifier: Apache-2.0

#include "echo/protocol/raw_codec.h"

#include <string>

#include "echo/control/listener_settings.h"
#include "echo/protocol/codec.h"
#include "gtest/gtest.h"

namespace echod {
namespace {

TEST(RawCodecTest, AnswersWithTheInputItselfInBatches) {
  const CodecPtr codec = NewCodec(EchoMode::kRaw);
  std::string buffer;
  const std::string input("a\n\0\xff", 4);
  Codec::Answer answer =
      codec->Receive(input, {.batch_bytes = 3, .extra_bytes = 0}, buffer);
  EXPECT_EQ(answer.consumed, 3u);
  EXPECT_EQ(answer.bytes.data(), input.data());
  EXPECT_EQ(answer.bytes.size(), 3u);
  EXPECT_EQ(answer.lines, 0);
  EXPECT_EQ(codec->partial_bytes(), 0u);
  answer = codec->Finish({.batch_bytes = 3}, buffer);
  EXPECT_EQ(answer.bytes, "");
}

TEST(RawCodecTest, OneServesAllConversations) {
  const CodecPtr one = NewCodec(EchoMode::kRaw);
  EXPECT_EQ(NewCodec(EchoMode::kRaw).get(), one.get());
}

}  // namespace
}  // namespace echod
