// SPDX-License-Identifier: Apache-2.0

#ifndef TESTS_LOAD_SCRIPT_H_
#define TESTS_LOAD_SCRIPT_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace echod::load {

enum class Mode : std::uint8_t {
  kLine,  // sends lines, expects `YOU SAID <line>`
  kRaw,   // sends bytes, expects the same bytes
};

// What every connection sends, and the expected answers: a stream of requests
// of the same size with different bytes. It repeats after a number of requests
// that typical losses or repetitions are no multiple of, so any lost, changed,
// repeated or reordered byte is detected, without work per request. Constant
// after construction; thread-safe.
class Script {
 public:
  // `request_bytes` is at least 1, and includes the newline in line mode. A
  // single part can have up to `longest_part` bytes.
  Script(Mode mode, std::size_t request_bytes, std::size_t longest_part);

  std::size_t request_bytes() const { return request_bytes_; }
  std::size_t response_bytes() const { return response_bytes_; }

  // Up to `size` bytes of the endless stream, from `offset`; fewer only if
  // limited by `longest_part`.
  absl::string_view Requests(std::uint64_t offset, std::size_t size) const;
  absl::string_view Responses(std::uint64_t offset, std::size_t size) const;

 private:
  const std::size_t request_bytes_;
  const std::size_t response_bytes_;
  const std::size_t count_;  // of different requests
  const std::size_t longest_part_;
  // `count_` requests, followed by a repetition of `longest_part` bytes.
  std::string requests_;
  std::string responses_;
};

}  // namespace echod::load

#endif  // TESTS_LOAD_SCRIPT_H_
