// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_PROTOCOL_LINE_CODEC_H_
#define ECHO_PROTOCOL_LINE_CODEC_H_

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"
#include "echo/protocol/codec.h"

namespace echod {

// LINE mode: answers each line that ends with LF or CRLF with `YOU SAID <line>`
// LF. Bytes are taken as they are, NUL included. Keeps the line that is not
// complete yet. A last line without an end is answered when the client closes
// its side.
class LineCodec final : public Codec {
 public:
  Answer Receive(absl::string_view input, const Limits& limits,
                 std::string& buffer) override;
  Answer Finish(const Limits& limits, std::string& buffer) override;
  std::size_t partial_bytes() const override { return partial_.size(); }

 private:
  // Adds the error to `output`.
  void Refuse(const Limits& limits, std::string& output);

  std::string partial_;
};

}  // namespace echod

#endif  // ECHO_PROTOCOL_LINE_CODEC_H_
