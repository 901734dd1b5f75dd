// SPDX-License-Identifier: Apache-2.0

// Runs the fuzzer's entry point over its corpus, with any compiler.

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "echo/filter/fuzz_filter.h"
#include "gtest/gtest.h"

namespace {

TEST(CorpusTest, EveryInputIsHandled) {
  int inputs = 0;
  for (const auto& file :
       std::filesystem::directory_iterator("echo/filter/corpus")) {
    std::ifstream in(file.path(), std::ios::binary);
    const std::string text((std::istreambuf_iterator<char>(in)), {});
    EXPECT_EQ(
        LLVMFuzzerTestOneInput(
            reinterpret_cast<const std::uint8_t*>(text.data()), text.size()),
        0);
    ++inputs;
  }
  EXPECT_GT(inputs, 20);
}

}  // namespace
