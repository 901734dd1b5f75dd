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

Codec::Answer LineCodec::Receive(absl::string_view input, const Limits& limits,
                                 std::string& buffer) {
  Answer answer;
  std::string& output = buffer;
  output.clear();
  while (answer.consumed < input.size() && output.size() < limits.batch_bytes &&
         output.size() < answer.consumed + limits.extra_bytes) {
    const absl::string_view rest(input.data() + answer.consumed,
                                 input.size() - answer.consumed);
    const auto* const end =
        static_cast<const char*>(std::memchr(rest.data(), '\n', rest.size()));
    if (end == nullptr) {
      // One byte more than the limit may still be the CR of the line's end.
      const std::size_t length = partial_.size() + rest.size();
      if (length > limits.max_line_bytes + 1 ||
          (length > limits.max_line_bytes && rest.back() != '\r')) {
        answer.line_too_long = true;
        break;
      }
      absl::StrAppend(&partial_, rest);
      answer.consumed = input.size();
      break;
    }
    const auto length = static_cast<std::size_t>(end - rest.data());
    absl::string_view line(rest.data(), length);
    if (!partial_.empty()) {
      if (partial_.size() + length > limits.max_line_bytes + 1) {
        answer.line_too_long = true;
        break;
      }
      absl::StrAppend(&partial_, line);
      line = partial_;
    }
    line = WithoutCarriageReturn(line);
    if (line.size() > limits.max_line_bytes) {
      answer.line_too_long = true;
      break;
    }
    AppendAnswer(line, output);
    ++answer.lines;
    answer.consumed += length + 1;
    // Gives the memory back: an idle connection keeps no buffer.
    if (!partial_.empty()) std::string().swap(partial_);
  }
  if (answer.line_too_long) Refuse(limits, output);
  answer.bytes = output;
  return answer;
}

Codec::Answer LineCodec::Finish(const Limits& limits, std::string& buffer) {
  Answer answer;
  std::string& output = buffer;
  output.clear();
  if (partial_.empty()) return answer;
  // Without an LF a CR is a byte like any other.
  if (partial_.size() > limits.max_line_bytes) {
    answer.line_too_long = true;
    Refuse(limits, output);
  } else {
    AppendAnswer(partial_, output);
    answer.lines = 1;
  }
  std::string().swap(partial_);
  answer.bytes = output;
  return answer;
}

void LineCodec::Refuse(const Limits& limits, std::string& output) {
  absl::StrAppend(&output, "ERROR line exceeds ", limits.max_line_bytes,
                  " bytes\n");
  std::string().swap(partial_);
}

}  // namespace echod
