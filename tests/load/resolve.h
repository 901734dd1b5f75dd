// SPDX-License-Identifier: Apache-2.0

#ifndef TESTS_LOAD_RESOLVE_H_
#define TESTS_LOAD_RESOLVE_H_

#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "echo/base/socket_address.h"

namespace echod::load {

// Returns the addresses of `host:port`, at least one, IPv4 first. The host is a
// name, or an address, IPv6 in brackets. `localhost` is the loopback address of
// both families; other names use the system's resolver, which blocks.
// INVALID_ARGUMENT says what to write instead.
absl::StatusOr<std::vector<SocketAddress>> Resolve(absl::string_view place);

}  // namespace echod::load

#endif  // TESTS_LOAD_RESOLVE_H_
