// SPDX-License-Identifier: Apache-2.0

#include "tests/load/script.h"

#include <algorithm>
#include <random>

#include "absl/strings/str_cat.h"

namespace echod::load {
namespace {

constexpr absl::string_view kLinePrefix = "YOU SAID ";

// Fits into the processor's inner caches; an odd number that no buffer or
// window is a multiple of.
std::size_t CountFor(std::size_t request_bytes) {
  constexpr std::size_t kAbout = 16 * 1024;
  return std::clamp<std::size_t>(kAbout / request_bytes, 2, 250) | 1;
}

// Repeats the content up to `size` bytes.
void Extend(std::string& text, std::size_t size) {
  text.reserve(size);
  for (std::size_t i = 0; text.size() < size; ++i) text.push_back(text[i]);
}

}  // namespace

Script::Script(Mode mode, std::size_t request_bytes, std::size_t longest_part)
    : request_bytes_(request_bytes),
      response_bytes_(request_bytes +
                      (mode == Mode::kLine ? kLinePrefix.size() : 0)),
      count_(CountFor(request_bytes)),
      longest_part_(longest_part) {
  std::minstd_rand random(20261123);  // any; the same for both ends of a test
  std::uniform_int_distribution<int> byte(0, 255);
  for (std::size_t i = 0; i < count_; ++i) {
    std::string request(request_bytes, '\0');
    for (char& each : request) {
      do {
        each = static_cast<char>(byte(random));
      } while (mode == Mode::kLine && (each == '\n' || each == '\r'));
    }
    if (mode == Mode::kLine) {
      request.back() = '\n';
      absl::StrAppend(&responses_, kLinePrefix);
    }
    requests_ += request;
    responses_ += request;
  }
  Extend(requests_, requests_.size() + longest_part);
  Extend(responses_, responses_.size() + longest_part);
}

absl::string_view Script::Requests(std::uint64_t offset,
                                   std::size_t size) const {
  return absl::string_view(requests_).substr(offset % (count_ * request_bytes_),
                                             std::min(size, longest_part_));
}

absl::string_view Script::Responses(std::uint64_t offset,
                                    std::size_t size) const {
  return absl::string_view(responses_)
      .substr(offset % (count_ * response_bytes_),
              std::min(size, longest_part_));
}

}  // namespace echod::load
