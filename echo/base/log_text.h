// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_BASE_LOG_TEXT_H_
#define ECHO_BASE_LOG_TEXT_H_

#include <string>

#include "absl/strings/string_view.h"

namespace echod {

// `text` with every byte that is not printable ASCII as an escape: \n, \r, \t,
// or such as \x1b. A terminal that shows it does nothing else.
std::string PrintableText(absl::string_view text);

}  // namespace echod

#endif  // ECHO_BASE_LOG_TEXT_H_
