// SPDX-License-Identifier: Apache-2.0

#ifndef TESTS_LOAD_SCRIPT_H_
#define TESTS_LOAD_SCRIPT_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace echod::load {

enum class Mode : std::uint8_t {
  kLine,  // lines, and `YOU SAID <line>` comes back
  kRaw,   // bytes, and the same come back
};

// What every connection sends, and what has to come back: a stream of requests
// of the same size and with different bytes, which begins anew after a number
// of them that no usual loss or repetition is a multiple of. So any byte that
// is lost, changed, repeated or out of order shows where it happens, without
// any work for each request. Constant after construction; thread-safe.
class Script {
 public:
  // `request_bytes` is at least 1; in line mode the line's end is one of them.
  // A part that is asked for in one piece may have up to `longest_part` bytes.
  Script(Mode mode, std::size_t request_bytes, std::size_t longest_part);

  std::size_t request_bytes() const { return request_bytes_; }
  std::size_t response_bytes() const { return response_bytes_; }

  // The bytes from `offset` of the endless stream, up to `size` of them: fewer
  // only where `longest_part` is the limit.
  absl::string_view Requests(std::uint64_t offset, std::size_t size) const;
  absl::string_view Responses(std::uint64_t offset, std::size_t size) const;

 private:
  const std::size_t request_bytes_;
  const std::size_t response_bytes_;
  const std::size_t count_;  // of different requests
  const std::size_t longest_part_;
  // `count_` of them, and once more as many bytes as one part may have.
  std::string requests_;
  std::string responses_;
};

}  // namespace echod::load

#endif  // TESTS_LOAD_SCRIPT_H_
