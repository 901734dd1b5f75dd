// SPDX-License-Identifier: Apache-2.0

#ifndef TESTS_LOAD_RESOLVE_H_
#define TESTS_LOAD_RESOLVE_H_

#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "echo/base/socket_address.h"

namespace echod::load {

// The addresses of `host:port`, where the host is a name or an address, IPv6 in
// brackets: one at least, IPv4 first. `localhost` is the loopback of both; for
// other names it asks the system's resolver, and blocks meanwhile.
// INVALID_ARGUMENT says what to write instead.
absl::StatusOr<std::vector<SocketAddress>> Resolve(absl::string_view place);

}  // namespace echod::load

#endif  // TESTS_LOAD_RESOLVE_H_
