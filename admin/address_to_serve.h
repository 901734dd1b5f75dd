#ifndef ADMIN_ADDRESS_TO_SERVE_H_
#define ADMIN_ADDRESS_TO_SERVE_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace echod {

// The address that a server asked to listen on `address` (host:port, IPv6 in
// brackets) is to listen on: the same, or 0.0.0.0 for [::] where this host has
// no IPv6. It is tried: bound, and let go again. FAILED_PRECONDITION and
// INVALID_ARGUMENT say what is in the way and what to do.
absl::StatusOr<std::string> AddressToServe(absl::string_view address);

}  // namespace echod

#endif  // ADMIN_ADDRESS_TO_SERVE_H_
