// SPDX-License-Identifier: Apache-2.0

#include "admin/transport/http2_frames.h"

#include <algorithm>
#include <cstring>

namespace echod {
namespace {

constexpr absl::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

}  // namespace

std::size_t Http2FrameReader::Read(
    absl::string_view bytes,
    absl::FunctionRef<bool(const Http2FrameHeader&)> on_frame) {
  const std::size_t size = bytes.size();
  if (preface_ == Preface::kIncomplete) ReadPreface(bytes);
  if (preface_ == Preface::kWrong) return size - bytes.size();
  while (!bytes.empty()) {
    if (payload_left_ > 0) {
      const std::size_t skipped =
          std::min<std::size_t>(payload_left_, bytes.size());
      payload_left_ -= static_cast<std::uint32_t>(skipped);
      bytes.remove_prefix(skipped);
      continue;
    }
    const std::size_t taken =
        std::min(kHeaderSize - header_read_, bytes.size());
    std::memcpy(header_.data() + header_read_, bytes.data(), taken);
    header_read_ += taken;
    bytes.remove_prefix(taken);
    if (header_read_ < kHeaderSize) break;
    header_read_ = 0;
    const Http2FrameHeader header = ParseHeader();
    payload_left_ = header.length;
    if (!on_frame(header)) break;
  }
  return size - bytes.size();
}

void Http2FrameReader::ReadPreface(absl::string_view& bytes) {
  static_assert(kPreface.size() == kPrefaceSize);
  const absl::string_view part = bytes.substr(0, kPrefaceSize - preface_read_);
  if (part != kPreface.substr(preface_read_, part.size())) {
    preface_ = Preface::kWrong;
    return;
  }
  preface_read_ += part.size();
  bytes.remove_prefix(part.size());
  if (preface_read_ == kPrefaceSize) preface_ = Preface::kComplete;
}

Http2FrameHeader Http2FrameReader::ParseHeader() const {
  const auto number = [this](std::size_t begin, std::size_t end) {
    std::uint32_t value = 0;
    for (std::size_t i = begin; i < end; ++i) value = value << 8 | header_[i];
    return value;
  };
  return {.length = number(0, 3),
          .type = static_cast<Http2FrameType>(header_[3]),
          .flags = header_[4],
          // The highest bit is reserved.
          .stream = number(5, 9) & 0x7fffffff};
}

}  // namespace echod
