// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_PROTOCOL_LINE_CODEC_H_
#define ECHO_PROTOCOL_LINE_CODEC_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace echod {

// LINE mode's conversation: `YOU SAID <line>` LF to each line that ends with LF
// or CRLF. Bytes are taken as they are, NUL included. It keeps the line that is
// not complete yet, and nothing else. One thread.
class LineCodec {
 public:
  struct Result {
    std::size_t consumed = 0;  // bytes of the input that were taken
    std::int64_t lines = 0;    // lines that were answered
    // A line is over the limit: the error is in the output, and the
    // conversation is at its end. What was not consumed is to be thrown away.
    bool too_long = false;
  };

  // Answers the lines that `input` completes, in order, and keeps the rest.
  // Stops early, between two lines, once `output` holds `output_limit` bytes or
  // more; then `consumed` is less than the input, and the caller comes back
  // with what is left. A line may have `max_line_bytes` bytes, its end not
  // counted.
  Result Answer(absl::string_view input, std::size_t max_line_bytes,
                std::size_t output_limit, std::string& output);

  // The peer has closed its side: answers a last line that had no end.
  Result Finish(std::size_t max_line_bytes, std::string& output);

  // Bytes of the line that is not complete yet.
  std::size_t partial_bytes() const { return partial_.size(); }

 private:
  Result TooLong(std::size_t max_line_bytes, std::string& output);

  std::string partial_;
};

}  // namespace echod

#endif  // ECHO_PROTOCOL_LINE_CODEC_H_
