// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_BASE_NEAREST_NAME_H_
#define ECHO_BASE_NEAREST_NAME_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace echod {

// Returns the one of `names` that was probably meant by `name`: the one with
// the fewest edits (Levenshtein's distance), ignoring case. Empty if even that
// one differs in more than half of its letters. Takes time in proportion to the
// lengths multiplied. Thread-safe.
std::string NearestName(absl::string_view name,
                        const std::vector<std::string>& names);

}  // namespace echod

#endif  // ECHO_BASE_NEAREST_NAME_H_
