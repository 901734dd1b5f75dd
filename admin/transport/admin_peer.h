// SPDX-License-Identifier: Apache-2.0

#ifndef ADMIN_TRANSPORT_ADMIN_PEER_H_
#define ADMIN_TRANSPORT_ADMIN_PEER_H_

#include <string>

#include "absl/strings/string_view.h"
#include "echo/base/socket_address.h"

namespace echod {

// gRPC identifies a client by the address of its peer socket, which belongs to
// the relay. So the relay gives that socket the client's address as its name.

// Names the unnamed Unix socket `fd` after a client. Part of the name is
// random, so that no other process can take it first.
void NameAfterClient(int fd, const SocketAddress& client);

// Returns the client's `host:port` from gRPC's ServerContext::peer(), for a
// socket whose peer was named by NameAfterClient. Returns other values
// unchanged.
std::string ClientOfPeer(absl::string_view peer);

}  // namespace echod

#endif  // ADMIN_TRANSPORT_ADMIN_PEER_H_
