// SPDX-License-Identifier: Apache-2.0

#include "admin/transport/http2_frames.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "admin/testing/http2_test_client.h"
#include "gtest/gtest.h"

namespace echod {
namespace {

using testing::Http2Frame;
using testing::kHttp2Preface;
using Preface = Http2FrameReader::Preface;
using Side = Http2FrameReader::Side;

std::string Describe(const Http2FrameHeader& frame) {
  return absl::StrCat(frame.length, "/", static_cast<int>(frame.type), "/",
                      frame.flags, "/", frame.stream);
}

// Reads `bytes` in parts split at `cuts`, and describes the frames.
std::vector<std::string> ReadIn(Side side, absl::string_view bytes,
                                std::vector<std::size_t> cuts) {
  Http2FrameReader reader(side);
  std::vector<std::string> frames;
  std::size_t begin = 0;
  cuts.push_back(bytes.size());
  for (const std::size_t end : cuts) {
    const absl::string_view part = bytes.substr(begin, end - begin);
    EXPECT_EQ(reader.Read(part,
                          [&](const Http2FrameHeader& frame) {
                            frames.push_back(Describe(frame));
                            return true;
                          }),
              part.size());
    begin = end;
  }
  return frames;
}

std::string SomeFrames() {
  return absl::StrCat(
      Http2Frame(Http2FrameType::kSettings, 0, 0, "123456"),
      Http2Frame(Http2FrameType::kHeaders, 0x5, 0x7ffffffe, "abc"),
      Http2Frame(Http2FrameType::kSettings, 1, 0),
      Http2Frame(static_cast<Http2FrameType>(0xfe), 0xff, 3,
                 std::string(70'000, 'x')),
      Http2Frame(Http2FrameType::kPing, 0, 0, "12345678"));
}

const std::vector<std::string> kSomeFrames = {
    "6/4/0/0", "3/1/5/2147483646", "0/4/1/0", "70000/254/255/3", "8/6/0/0"};

TEST(Http2FramesTest, FindsHeadersHoweverTheBytesAreCut) {
  const std::string client = absl::StrCat(kHttp2Preface, SomeFrames());
  EXPECT_EQ(ReadIn(Side::kServer, SomeFrames(), {}), kSomeFrames);
  // The frames' interesting bytes are the first 100 and the last.
  for (std::size_t cut = 0; cut <= client.size();
       cut += cut < 120 || cut > client.size() - 40 ? 1 : 997) {
    ASSERT_EQ(ReadIn(Side::kClient, client, {cut}), kSomeFrames) << cut;
  }
  std::vector<std::size_t> everywhere;
  for (std::size_t i = 1; i < client.size(); ++i) everywhere.push_back(i);
  EXPECT_EQ(ReadIn(Side::kClient, client, everywhere), kSomeFrames);
}

TEST(Http2FramesTest, TheReservedBitOfAStreamIsNoPartOfIt) {
  EXPECT_EQ(ReadIn(Side::kServer,
                   Http2Frame(Http2FrameType::kRstStream, 0, 0x80000007), {}),
            std::vector<std::string>({"0/3/0/7"}));
}

TEST(Http2FramesTest, StopsAfterAHeaderAndGoesOnWithItsPayload) {
  const std::string bytes = SomeFrames();
  Http2FrameReader reader(Side::kServer);
  int frames = 0;
  const auto stop_at_second = [&](const Http2FrameHeader& /*frame*/) {
    return ++frames != 2;
  };
  const std::size_t read = reader.Read(bytes, stop_at_second);
  EXPECT_EQ(read, 9u + 6u + 9u);
  EXPECT_EQ(frames, 2);
  EXPECT_EQ(reader.Read(absl::string_view(bytes).substr(read), stop_at_second),
            bytes.size() - read);
  EXPECT_EQ(frames, 5);
}

TEST(Http2FramesTest, KnowsAPrefaceFromAnythingElse) {
  const auto none = [](const Http2FrameHeader& /*frame*/) { return true; };
  for (std::size_t wrong = 0; wrong < kHttp2Preface.size(); ++wrong) {
    std::string preface(kHttp2Preface);
    preface[wrong] ^= 1;
    for (const std::size_t cut : {std::size_t{0}, wrong, wrong + 1}) {
      Http2FrameReader reader(Side::kClient);
      const absl::string_view view = preface;
      reader.Read(view.substr(0, cut), none);
      EXPECT_EQ(reader.preface(),
                cut > wrong ? Preface::kWrong : Preface::kIncomplete);
      if (cut > wrong) continue;
      reader.Read(view.substr(cut), none);
      EXPECT_EQ(reader.preface(), Preface::kWrong) << wrong << " " << cut;
    }
  }
  Http2FrameReader reader(Side::kClient);
  reader.Read(kHttp2Preface, none);
  EXPECT_EQ(reader.preface(), Preface::kComplete);
}

}  // namespace
}  // namespace echod
