#ifndef ECHO_LISTEN_SOCKET_H_
#define ECHO_LISTEN_SOCKET_H_

#include "absl/status/statusor.h"
#include "echo/base/socket_address.h"
#include "echo/base/unique_fd.h"

namespace echod {

// Opens a socket that listens on `address`, non-blocking. `[::]` takes IPv4,
// too; where this host has no IPv6, it is IPv4 alone. A port that somebody has
// already is an error, never shared.
//
// Errors are FAILED_PRECONDITION with the reasons ADDRESS_IN_USE,
// BIND_PERMISSION_DENIED, ADDRESS_NOT_AVAILABLE or LISTEN_FAILED, and
// RESOURCE_EXHAUSTED when descriptors have run out.
absl::StatusOr<UniqueFd> OpenListenSocket(const SocketAddress& address,
                                          int backlog);

// From here on the socket answers no new handshake: a SYN that comes is
// dropped, and its sender tries again and finds the port closed. Handshakes
// under way are completed, and can be accepted still. A listening socket that
// is closed without this resets the connections that were established after the
// last accept.
void StopHandshakes(int listen_fd);

}  // namespace echod

#endif  // ECHO_LISTEN_SOCKET_H_
