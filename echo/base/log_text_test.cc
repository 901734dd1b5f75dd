// SPDX-License-Identifier: Apache-2.0

#include "echo/base/log_text.h"

#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/string_view.h"
#include "gtest/gtest.h"

namespace echod {
namespace {

TEST(LogTextTest, LeavesWhatIsPrintable) {
  constexpr absl::string_view kText = R"(can't bind "[::1]:80" \ ~ {a: 1})";
  EXPECT_EQ(PrintableText(kText), kText);
}

TEST(LogTextTest, EscapesWhatATerminalWouldObey) {
  EXPECT_EQ(PrintableText("a\x1b[31mb\r\n\tc\x7f"), R"(a\x1b[31mb\r\n\tc\x7f)");
  // The 8-bit control sequence introducer, alone and as UTF-8.
  EXPECT_EQ(PrintableText("\x9b\xc2\x9b"), R"(\x9b\xc2\x9b)");
  EXPECT_EQ(PrintableText(absl::string_view("\0z", 2)), R"(\x00z)");
}

TEST(LogTextTest, LeavesNoOtherByte) {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  for (const char byte : PrintableText(all)) {
    EXPECT_TRUE(absl::ascii_isprint(static_cast<unsigned char>(byte)));
  }
}

}  // namespace
}  // namespace echod
