// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_BASE_LOG_TEXT_H_
#define ECHO_BASE_LOG_TEXT_H_

#include <string>

#include "absl/strings/string_view.h"

namespace echod {

// Returns `text` with every byte that is not printable ASCII escaped: \n, \r,
// \t, or hexadecimal as in \x1b. Safe to show on a terminal.
std::string PrintableText(absl::string_view text);

}  // namespace echod

#endif  // ECHO_BASE_LOG_TEXT_H_
