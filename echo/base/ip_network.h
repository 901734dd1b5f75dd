// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_BASE_IP_NETWORK_H_
#define ECHO_BASE_IP_NETWORK_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "echo/base/socket_address.h"

namespace echod {

// An IPv4 or IPv6 network, such as 10.0.0.0/8. A plain value.
class IpNetwork {
 public:
  // Parses an address with the length of the network's prefix, or an address
  // alone, which is a network of its own. Brackets are optional for IPv6.
  // Errors are INVALID_ARGUMENT and say what to write.
  static absl::StatusOr<IpNetwork> Parse(absl::string_view text);

  // Whether the address is in the network, whatever its port and zone. An
  // address of the other family is not.
  bool Contains(const SocketAddress& address) const;

 private:
  IpNetwork(const SocketAddress& first, int prefix)
      : first_(first), prefix_(prefix) {}

  SocketAddress first_;
  int prefix_;  // bits
};

}  // namespace echod

#endif  // ECHO_BASE_IP_NETWORK_H_
