// SPDX-License-Identifier: Apache-2.0

// The cost of LINE mode without the kernel: answering lines of various lengths
// that arrive in one read.

#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "echo/protocol/codec.h"
#include "echo/protocol/line_codec.h"

namespace echod {
namespace {

constexpr std::size_t kReadBytes = 64 * 1024;
constexpr Codec::Limits kLimits = {.max_line_bytes = 64 * 1024,
                                   .batch_bytes = kReadBytes,
                                   .extra_bytes = 1024 * 1024};

void AnswerLines(benchmark::State& state) {
  const auto line_bytes = static_cast<std::size_t>(state.range(0));
  std::string input;
  while (input.size() + line_bytes <= kReadBytes) {
    input.append(line_bytes - 1, 'x').push_back('\n');
  }
  LineCodec codec;
  std::string output;
  std::int64_t lines = 0;
  for (auto unused : state) {
    (void)unused;
    std::size_t consumed = 0;
    while (consumed < input.size()) {
      const Codec::Answer answer = codec.Receive(
          {input.data() + consumed, input.size() - consumed}, kLimits, output);
      consumed += answer.consumed;
      lines += answer.lines;
    }
    benchmark::DoNotOptimize(output.data());
  }
  state.SetItemsProcessed(lines);
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations()) *
                          static_cast<std::int64_t>(input.size()));
}
BENCHMARK(AnswerLines)->Arg(2)->Arg(16)->Arg(64)->Arg(512)->Arg(4096);

// A line that arrives one byte at a time, as from a terminal without line
// buffering.
void AnswerBytewise(benchmark::State& state) {
  LineCodec codec;
  std::string output;
  const std::string line = std::string(63, 'x') + "\n";
  for (auto unused : state) {
    (void)unused;
    for (const char& byte : line) {
      codec.Receive({&byte, 1}, kLimits, output);
    }
    benchmark::DoNotOptimize(output.data());
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()));
}
BENCHMARK(AnswerBytewise);

}  // namespace
}  // namespace echod
