// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_NET_LISTEN_SOCKET_H_
#define ECHO_NET_LISTEN_SOCKET_H_

#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "echo/base/listen_address.h"
#include "echo/base/unique_fd.h"
#include "echo/net/socket_file.h"

namespace echod {

// A listening socket, non-blocking, and its address.
struct ListenSocket {
  UniqueFd fd;
  ListenAddress address;
  SocketFile file;         // of a Unix socket
  bool inherited = false;  // another process has it, too, and keeps it
};

// Opens a socket that listens on `address`. `[::]` accepts IPv4, too; on a host
// without IPv6 it is IPv4 alone. A port that is in use is an error; it is never
// shared. So is a path; see SocketFile.
//
// Errors are FAILED_PRECONDITION with the reasons ADDRESS_IN_USE,
// BIND_PERMISSION_DENIED, ADDRESS_NOT_AVAILABLE or LISTEN_FAILED, and
// RESOURCE_EXHAUSTED if there is no free descriptor.
absl::StatusOr<ListenSocket> OpenListenSocket(const ListenAddress& address,
                                              int backlog);

// Takes over a listening socket that this process has inherited, with its queue
// and its backlog. An error says what is wrong with it.
absl::StatusOr<ListenSocket> AdoptListenSocket(UniqueFd fd);

// OK, or the error that OpenListenSocket would return now, as far as bind can
// tell. Never listens, so no client can connect. Ignores this process's own
// listening sockets `disregarded`.
absl::Status CheckListenAddress(const ListenAddress& address,
                                const std::vector<int>& disregarded);

// How a listening socket was made to ignore new handshakes.
enum class HandshakeStop {
  kNone,      // not at all: the kernel refused both
  kFilter,    // a classic BPF filter drops every SYN
  kHopLimit,  // it takes only what no router has passed on; see LiftHopLimit
};

// Makes the socket ignore new handshakes: a SYN is dropped; its sender
// retransmits it, and by then finds the port closed. Handshakes under way
// complete and can still be accepted. Closing a listening socket without this
// resets connections that were established after the last accept.
//
// Attaches a filter, or sets the hop limit where this process may not attach
// filters. Logs a warning if neither is possible.
HandshakeStop StopHandshakes(int listen_fd);

// The two ways; false if the kernel does not allow it.
//
// The hop limit is weaker: a peer that sends with the highest one (255) passes,
// and a socket that is accepted later inherits the limit and receives next to
// nothing until LiftHopLimit.
bool StopHandshakesByFilter(int listen_fd);
bool StopHandshakesByHopLimit(int listen_fd);
void LiftHopLimit(int accepted_fd);

}  // namespace echod

#endif  // ECHO_NET_LISTEN_SOCKET_H_
