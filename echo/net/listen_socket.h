// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_NET_LISTEN_SOCKET_H_
#define ECHO_NET_LISTEN_SOCKET_H_

#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "echo/base/socket_address.h"
#include "echo/base/unique_fd.h"

namespace echod {

// A socket that listens, non-blocking, and where.
struct ListenSocket {
  UniqueFd fd;
  SocketAddress address;
};

// Opens a socket that listens on `address`. `[::]` takes IPv4,
// too; where this host has no IPv6, it is IPv4 alone. A port that somebody has
// already is an error, never shared.
//
// Errors are FAILED_PRECONDITION with the reasons ADDRESS_IN_USE,
// BIND_PERMISSION_DENIED, ADDRESS_NOT_AVAILABLE or LISTEN_FAILED, and
// RESOURCE_EXHAUSTED when descriptors have run out.
absl::StatusOr<ListenSocket> OpenListenSocket(const SocketAddress& address,
                                              int backlog);

// OK, or the error that OpenListenSocket would give at this moment, as far as
// binding can tell: nothing listens meanwhile, so no client can get in. It is
// as if the listening sockets `disregarded`, of this process, were not there.
absl::Status CheckListenAddress(const SocketAddress& address,
                                const std::vector<int>& disregarded);

// How a listening socket was brought to answer no new handshake.
enum class HandshakeStop {
  kNone,      // not at all: the kernel refused both
  kFilter,    // a classic BPF filter drops every SYN
  kHopLimit,  // it takes only what no router has passed on; see LiftHopLimit
};

// From here on the socket answers no new handshake: a SYN that comes is
// dropped, and its sender tries again and finds the port closed. Handshakes
// under way are completed, and can be accepted still. A listening socket that
// is closed without this resets the connections that were established after the
// last accept.
//
// Takes the filter, or the hop limit where this process may not attach filters.
// Logs a warning when neither is to be had.
HandshakeStop StopHandshakes(int listen_fd);

// The two ways; false where the kernel does not allow it.
//
// The hop limit is weaker: a peer that sends with the highest there is (255)
// gets past it, and a socket that is accepted later inherits it and hears next
// to nothing until LiftHopLimit.
bool StopHandshakesByFilter(int listen_fd);
bool StopHandshakesByHopLimit(int listen_fd);
void LiftHopLimit(int accepted_fd);

}  // namespace echod

#endif  // ECHO_NET_LISTEN_SOCKET_H_
