// SPDX-License-Identifier: Apache-2.0

#include "echo/control/listener_id.h"

#include <algorithm>
#include <cstddef>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "echo/control/control_error.h"

namespace echod {
namespace {

constexpr std::size_t kLongestId = 63;

}  // namespace

absl::Status CheckListenerId(absl::string_view id) {
  const bool valid =
      !id.empty() && id.size() <= kLongestId && absl::ascii_islower(id[0]) &&
      id.back() != '-' && std::all_of(id.begin(), id.end(), [](char c) {
        return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '-';
      });
  if (valid) return absl::OkStatus();
  return InvalidFieldError(
      "id", absl::StrCat("choose 1 to ", kLongestId,
                         " lower-case letters, digits and hyphens, of which "
                         "the first is a letter and the last is no hyphen"));
}

}  // namespace echod
