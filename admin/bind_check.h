#ifndef ADMIN_BIND_CHECK_H_
#define ADMIN_BIND_CHECK_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace echod {

// Whether this process could listen on `address` (host:port, IPv6 in brackets)
// now: binds, and lets go again. FAILED_PRECONDITION or INVALID_ARGUMENT say
// what is in the way and what to do.
absl::Status CheckCanBind(absl::string_view address);

}  // namespace echod

#endif  // ADMIN_BIND_CHECK_H_
