// SPDX-License-Identifier: Apache-2.0

#ifndef ADMIN_SERVICE_PAGE_TOKEN_H_
#define ADMIN_SERVICE_PAGE_TOKEN_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace echod {

// Pagination (https://aip.dev/158).

// Returns the page size to use: 50 for 0, and at most 1,000. INVALID_ARGUMENT,
// naming `page_size`, if `requested` is negative.
absl::StatusOr<int> EffectivePageSize(std::int32_t requested);

// Returns a token for the page after `last`. It is bound to `request`, which
// identifies the list and the arguments that must not change between pages.
std::string MakePageToken(absl::string_view request, absl::string_view last);

// Returns the `last` of a token made for the same `request`, or an empty string
// for an empty token, which asks for the first page. INVALID_ARGUMENT, naming
// `page_token`, for any other token.
absl::StatusOr<std::string> ParsePageToken(absl::string_view request,
                                           absl::string_view token);

}  // namespace echod

#endif  // ADMIN_SERVICE_PAGE_TOKEN_H_
