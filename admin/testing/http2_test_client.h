// SPDX-License-Identifier: Apache-2.0

#ifndef ADMIN_TESTING_HTTP2_TEST_CLIENT_H_
#define ADMIN_TESTING_HTTP2_TEST_CLIENT_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "admin/transport/http2_frames.h"

namespace echod::testing {

// The bytes that a hostile HTTP/2 client sends, which no library would.

inline constexpr absl::string_view kHttp2Preface =
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

inline std::string Http2Frame(Http2FrameType type, std::uint8_t flags,
                              std::uint32_t stream,
                              absl::string_view payload = "") {
  std::string frame;
  const auto append = [&frame](std::size_t value, int bytes) {
    while (bytes-- > 0) frame += static_cast<char>(value >> (8 * bytes));
  };
  append(payload.size(), 3);
  append(static_cast<std::size_t>(type), 1);
  append(flags, 1);
  append(stream, 4);
  absl::StrAppend(&frame, payload);
  return frame;
}

// The preface and empty settings.
inline std::string Http2Hello() {
  return absl::StrCat(kHttp2Preface,
                      Http2Frame(Http2FrameType::kSettings, 0, 0));
}

// The header block of a call, without a byte of HPACK's state, so that it is
// the same in each stream.
inline std::string CallHeaders(absl::string_view method) {
  const std::string path =
      absl::StrCat("/echod.admin.v1.AdminService/", method);
  // POST, http, :path, :authority, content-type, te.
  return absl::StrCat("\x83\x86\x04",
                      std::string(1, static_cast<char>(path.size())), path,
                      "\x01\x01x", "\x0f\x10\x10", "application/grpc",
                      absl::string_view("\0\x02te\x08trailers", 13));
}

// Opens `stream` with a call.
inline std::string OpenCall(std::uint32_t stream, absl::string_view method) {
  constexpr std::uint8_t kEndHeaders = 0x4;
  return absl::StrCat(
      Http2Frame(Http2FrameType::kHeaders, kEndHeaders, stream,
                 CallHeaders(method)),
      // An empty message.
      Http2Frame(Http2FrameType::kData, Http2FrameHeader::kEndStream, stream,
                 absl::string_view("\0\0\0\0\0", 5)));
}

inline std::string Cancel(std::uint32_t stream) {
  return Http2Frame(Http2FrameType::kRstStream, 0, stream,
                    absl::string_view("\0\0\0\x08", 4));
}

}  // namespace echod::testing

#endif  // ADMIN_TESTING_HTTP2_TEST_CLIENT_H_
