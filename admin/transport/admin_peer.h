// SPDX-License-Identifier: Apache-2.0

#ifndef ADMIN_TRANSPORT_ADMIN_PEER_H_
#define ADMIN_TRANSPORT_ADMIN_PEER_H_

#include <string>

#include "absl/strings/string_view.h"
#include "echo/base/socket_address.h"

namespace echod {

// gRPC knows a client by the address of the socket at the other end, which is
// the relay's. So that one carries the client's address as its name.

// Names the Unix socket `fd`, which has no name yet, after a client. Nobody
// else can take that name first: part of it is random.
void NameAfterClient(int fd, const SocketAddress& client);

// The client's `host:port`, from what gRPC's ServerContext::peer() says of a
// socket whose other end was named so; whatever else it says, as it is.
std::string ClientOfPeer(absl::string_view peer);

}  // namespace echod

#endif  // ADMIN_TRANSPORT_ADMIN_PEER_H_
