// SPDX-License-Identifier: Apache-2.0

#ifndef ADMIN_TRANSPORT_HTTP2_FRAMES_H_
#define ADMIN_TRANSPORT_HTTP2_FRAMES_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"

namespace echod {

// The types of HTTP/2 frames (RFC 9113, section 6).
enum class Http2FrameType : std::uint8_t {
  kData = 0,
  kHeaders = 1,
  kPriority = 2,
  kRstStream = 3,
  kSettings = 4,
  kPushPromise = 5,
  kPing = 6,
  kGoaway = 7,
  kWindowUpdate = 8,
  kContinuation = 9,
};

// The nine-byte header of each frame.
struct Http2FrameHeader {
  static constexpr std::uint8_t kEndStream = 0x1;  // of DATA and HEADERS
  static constexpr std::uint8_t kAck = 0x1;        // of SETTINGS and PING

  std::uint32_t length = 0;  // of the payload, in bytes
  Http2FrameType type = Http2FrameType::kData;
  std::uint8_t flags = 0;
  std::uint32_t stream = 0;
};

// Finds the frame headers in one direction of an HTTP/2 connection, and skips
// everything else. Uses constant memory.
class Http2FrameReader {
 public:
  // A client starts with a preface of 24 bytes; a server does not.
  enum class Side { kClient, kServer };

  explicit Http2FrameReader(Side side)
      : preface_(side == Side::kServer ? Preface::kComplete
                                       : Preface::kIncomplete) {}

  // Reads the next bytes of the connection, and calls `on_frame` with each
  // frame header that they complete. Stops if `on_frame` returns false or the
  // preface is not HTTP/2's. Returns how many bytes were read, including the
  // last header; pass the rest again later.
  std::size_t Read(absl::string_view bytes,
                   absl::FunctionRef<bool(const Http2FrameHeader&)> on_frame);

  enum class Preface { kIncomplete, kComplete, kWrong };
  Preface preface() const { return preface_; }

 private:
  static constexpr std::size_t kPrefaceSize = 24;
  static constexpr std::size_t kHeaderSize = 9;

  void ReadPreface(absl::string_view& bytes);
  Http2FrameHeader ParseHeader() const;

  Preface preface_;
  std::size_t preface_read_ = 0;
  std::array<std::uint8_t, kHeaderSize> header_;
  std::size_t header_read_ = 0;     // of header_
  std::uint32_t payload_left_ = 0;  // to skip
};

}  // namespace echod

#endif  // ADMIN_TRANSPORT_HTTP2_FRAMES_H_
