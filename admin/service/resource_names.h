// SPDX-License-Identifier: Apache-2.0

#ifndef ADMIN_SERVICE_RESOURCE_NAMES_H_
#define ADMIN_SERVICE_RESOURCE_NAMES_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace echod {

// Names of resources, such as `listeners/default` and `connections/7`
// (https://aip.dev/122). Errors are INVALID_ARGUMENT and name `field`, which is
// where the request has the name.

inline constexpr char kServerName[] = "server";

std::string ListenerName(absl::string_view id);
absl::StatusOr<std::string> ParseListenerName(absl::string_view name,
                                              absl::string_view field);

std::string ConnectionName(std::uint64_t number);
absl::StatusOr<std::uint64_t> ParseConnectionName(absl::string_view name,
                                                  absl::string_view field);

}  // namespace echod

#endif  // ADMIN_SERVICE_RESOURCE_NAMES_H_
