// SPDX-License-Identifier: Apache-2.0

#ifndef ADMIN_SERVICE_PAGE_TOKEN_H_
#define ADMIN_SERVICE_PAGE_TOKEN_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace echod {

// Pagination (https://aip.dev/158).

// The size of the page to make: 50 for 0, at most 1,000. Negative is
// INVALID_ARGUMENT, naming `page_size`.
absl::StatusOr<int> EffectivePageSize(std::int32_t requested);

// A token that stands for "what comes after `last`", for callers to hand back.
// It is bound to `request`: the list and the arguments that must not change
// between pages.
std::string MakePageToken(absl::string_view request, absl::string_view last);

// The `last` of a token that was made for the same `request`; empty for an
// empty token, which is the first page. Any other is INVALID_ARGUMENT, naming
// `page_token`.
absl::StatusOr<std::string> ParsePageToken(absl::string_view request,
                                           absl::string_view token);

}  // namespace echod

#endif  // ADMIN_SERVICE_PAGE_TOKEN_H_
