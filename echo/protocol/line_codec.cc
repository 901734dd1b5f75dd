// SPDX-License-Identifier: Apache-2.0

#include "echo/protocol/line_codec.h"

#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace echod {
namespace {

constexpr absl::string_view kPrefix = "YOU SAID ";

absl::string_view WithoutCarriageReturn(absl::string_view line) {
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  return line;
}

// Three appends: a third of StrAppend's instructions.
void AppendAnswer(absl::string_view line, std::string& output) {
  output.append(kPrefix.data(), kPrefix.size());
  output.append(line.data(), line.size());
  output.push_back('\n');
}

}  // namespace

LineCodec::Result LineCodec::Answer(absl::string_view input,
                                    std::size_t max_line_bytes,
                                    std::size_t output_limit,
                                    std::string& output) {
  Result result;
  while (output.size() < output_limit && result.consumed < input.size()) {
    const absl::string_view rest(input.data() + result.consumed,
                                 input.size() - result.consumed);
    const auto* const end =
        static_cast<const char*>(std::memchr(rest.data(), '\n', rest.size()));
    if (end == nullptr) {
      // One byte more than the limit may still be the CR of the line's end.
      const std::size_t length = partial_.size() + rest.size();
      if (length > max_line_bytes + 1 ||
          (length > max_line_bytes && rest.back() != '\r')) {
        result.too_long = true;
        break;
      }
      absl::StrAppend(&partial_, rest);
      result.consumed = input.size();
      break;
    }
    const auto length = static_cast<std::size_t>(end - rest.data());
    absl::string_view line(rest.data(), length);
    if (!partial_.empty()) {
      if (partial_.size() + length > max_line_bytes + 1) {
        result.too_long = true;
        break;
      }
      absl::StrAppend(&partial_, line);
      line = partial_;
    }
    line = WithoutCarriageReturn(line);
    if (line.size() > max_line_bytes) {
      result.too_long = true;
      break;
    }
    AppendAnswer(line, output);
    ++result.lines;
    result.consumed += length + 1;
    // Gives the memory back: an idle connection keeps no buffer.
    if (!partial_.empty()) std::string().swap(partial_);
  }
  if (result.too_long) {
    result.lines += TooLong(max_line_bytes, output).lines;
  }
  return result;
}

LineCodec::Result LineCodec::Finish(std::size_t max_line_bytes,
                                    std::string& output) {
  if (partial_.empty()) return {};
  // Without an LF a CR is a byte like any other.
  if (partial_.size() > max_line_bytes) return TooLong(max_line_bytes, output);
  AppendAnswer(partial_, output);
  std::string().swap(partial_);
  return {.consumed = 0, .lines = 1, .too_long = false};
}

LineCodec::Result LineCodec::TooLong(std::size_t max_line_bytes,
                                     std::string& output) {
  absl::StrAppend(&output, "ERROR line exceeds ", max_line_bytes, " bytes\n");
  std::string().swap(partial_);
  return {.consumed = 0, .lines = 0, .too_long = true};
}

}  // namespace echod
