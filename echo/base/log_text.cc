// SPDX-License-Identifier: Apache-2.0

#include "echo/base/log_text.h"

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"

namespace echod {

std::string PrintableText(absl::string_view text) {
  std::string printable;
  printable.reserve(text.size());
  for (const char& byte : text) {
    // absl's escapes would add quotes and backslashes.
    if (absl::ascii_isprint(static_cast<unsigned char>(byte))) {
      printable += byte;
    } else {
      printable += absl::CHexEscape(absl::string_view(&byte, 1));
    }
  }
  return printable;
}

}  // namespace echod
