// SPDX-License-Identifier: Apache-2.0

#include "admin/service/page_token.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "echo/control/control_error.h"

namespace echod {
namespace {

constexpr int kDefaultPageSize = 50;
constexpr int kLargestPageSize = 1000;

// Separates the parts, and occurs in neither.
constexpr absl::string_view kSeparator("\0", 1);

}  // namespace

absl::StatusOr<int> EffectivePageSize(std::int32_t requested) {
  if (requested < 0) {
    return InvalidFieldError(
        "page_size",
        absl::StrCat(requested, " is not a page size; choose 1 to ",
                     kLargestPageSize, ", or 0 for ", kDefaultPageSize));
  }
  if (requested == 0) return kDefaultPageSize;
  return std::min<int>(requested, kLargestPageSize);
}

std::string MakePageToken(absl::string_view request, absl::string_view last) {
  return absl::WebSafeBase64Escape(absl::StrCat(request, kSeparator, last));
}

absl::StatusOr<std::string> ParsePageToken(absl::string_view request,
                                           absl::string_view token) {
  if (token.empty()) return std::string();
  std::string decoded;
  absl::string_view last;
  if (absl::WebSafeBase64Unescape(token, &decoded)) {
    last = decoded;
    if (absl::ConsumePrefix(&last, absl::StrCat(request, kSeparator)) &&
        !last.empty()) {
      return std::string(last);
    }
  }
  return InvalidFieldError(
      "page_token",
      "the token belongs to another list, or the request has changed; send the "
      "next_page_token of the previous page with the same request");
}

}  // namespace echod
