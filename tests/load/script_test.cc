// SPDX-License-Identifier: Apache-2.0

#include "tests/load/script.h"

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace echod::load {
namespace {

// Assembles `size` bytes of a stream from parts of odd sizes.
template <typename Part>
std::string Whole(const Part& part, std::size_t size) {
  std::string whole;
  while (whole.size() < size) {
    const auto piece = part(whole.size(), size - whole.size());
    EXPECT_FALSE(piece.empty());
    absl::StrAppend(&whole, piece);
  }
  return whole;
}

TEST(ScriptTest, RawWantsBackWhatItSends) {
  const Script script(Mode::kRaw, 64, 100);
  EXPECT_EQ(script.response_bytes(), 64u);
  const auto requests = [&](std::uint64_t at, std::size_t size) {
    return script.Requests(at, size);
  };
  const auto responses = [&](std::uint64_t at, std::size_t size) {
    return script.Responses(at, size);
  };
  const std::string sent = Whole(requests, 100'000);
  EXPECT_EQ(sent, Whole(responses, 100'000));
  std::set<std::string> different;
  for (std::size_t i = 0; i + 64 < sent.size(); i += 64) {
    different.insert(sent.substr(i, 64));
  }
  EXPECT_GT(different.size(), 200u);
  EXPECT_EQ(different.size() % 2, 1u);
}

TEST(ScriptTest, LineWantsBackThePrefixAndTheLine) {
  const Script script(Mode::kLine, 7, 1000);
  EXPECT_EQ(script.response_bytes(), 16u);
  for (std::uint64_t i = 0; i < 1000; ++i) {
    const auto line = script.Requests(i * 7, 7);
    ASSERT_EQ(line.size(), 7u);
    EXPECT_EQ(line.find_first_of("\r\n"), 6u);
    EXPECT_EQ(line.back(), '\n');
    EXPECT_EQ(script.Responses(i * 16, 16), absl::StrCat("YOU SAID ", line));
  }
}

TEST(ScriptTest, ALineCanBeNothingButItsEnd) {
  const Script script(Mode::kLine, 1, 8);
  EXPECT_EQ(script.Requests(5, 2), "\n\n");
  EXPECT_EQ(script.Responses(10, 8), "YOU SAID");
}

TEST(ScriptTest, GivesNoMoreThanTheLongestPart) {
  const Script script(Mode::kRaw, 1'000'000, 4096);
  EXPECT_EQ(script.Requests(999'999, 1'000'000).size(), 4096u);
  EXPECT_EQ(script.Responses(123, 100).size(), 100u);
}

}  // namespace
}  // namespace echod::load
