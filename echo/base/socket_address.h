// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_BASE_SOCKET_ADDRESS_H_
#define ECHO_BASE_SOCKET_ADDRESS_H_

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace echod {

// Who is at the other end of a Unix socket: what SO_PEERCRED says.
struct PeerCredentials {
  std::int32_t pid = 0;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;

  friend bool operator==(const PeerCredentials&,
                         const PeerCredentials&) = default;
};

// An IPv4 or IPv6 address and a port; or the peer of a Unix socket, which has
// credentials in place of an address. A plain value of 24 bytes. Names other
// than `localhost` are not resolved. See ListenAddress for paths.
class SocketAddress {
 public:
  // 0.0.0.0:0.
  SocketAddress() = default;

  // Parses `host:port`, IPv6 in brackets, such as `[::]:8080`. Errors are
  // INVALID_ARGUMENT and say what is wrong.
  static absl::StatusOr<SocketAddress> Parse(absl::string_view text);

  // Parses an address to listen on: as Parse, and also `localhost:port`, which
  // is Loopback, and `:port` and `*:port`, which mean every address, as
  // `[::]:port`.
  static absl::StatusOr<SocketAddress> ParseListen(absl::string_view text);

  // 127.0.0.1, or ::1 where this host has no IPv4.
  static SocketAddress Loopback(std::uint16_t port);

  // From an address without brackets, such as `::1`, and a port.
  static absl::StatusOr<SocketAddress> FromHost(absl::string_view host,
                                                std::uint16_t port);

  // A peer of a Unix socket.
  static SocketAddress UnixPeer(const PeerCredentials& peer);

  // From the kernel. An IPv4-mapped IPv6 address becomes IPv4; a Unix socket's
  // becomes UnixPeer({}); an address of another family becomes 0.0.0.0:0.
  static SocketAddress FromKernel(const sockaddr_storage& storage);

  bool is_ipv6() const { return family_ == Family::kIpv6; }
  bool is_unix() const { return family_ == Family::kUnix; }
  std::uint16_t port() const { return port_; }
  bool is_unspecified() const;  // 0.0.0.0 or ::
  // The address's 4 or 16 bytes, in network order; none of a Unix socket's
  // peer.
  absl::Span<const std::uint8_t> host_bytes() const {
    return absl::MakeConstSpan(bytes_.data(), is_unix()   ? 0
                                              : is_ipv6() ? 16
                                                          : 4);
  }
  // Unset unless is_unix().
  std::optional<PeerCredentials> credentials() const;

  SocketAddress WithPort(std::uint16_t port) const;

  // What all clients of one host have in common: the address without the port.
  // Of a Unix socket's peers, those of one user.
  SocketAddress HostOnly() const;

  // Fills `storage` for bind or connect, and returns the length to pass. Not
  // for a Unix socket's peer.
  socklen_t ToKernel(sockaddr_storage& storage) const;

  // The address without brackets and port; `unix:` of a Unix socket's peer.
  std::string Host() const;

  // `host:port`, IPv6 in brackets; `unix:` of a Unix socket's peer.
  std::string ToString() const;

  friend bool operator==(const SocketAddress&, const SocketAddress&) = default;

  // For Abseil's hash tables.
  template <typename H>
  friend H AbslHashValue(H state, const SocketAddress& address) {
    return H::combine(std::move(state), address.bytes_, address.scope_id_,
                      address.port_, address.family_);
  }

 private:
  enum class Family : std::uint8_t { kIpv4, kIpv6, kUnix };

  // Returns `address`, or an error if it is not unicast.
  static absl::StatusOr<SocketAddress> OneHost(const SocketAddress& address);

  // IPv4: the first four. A Unix socket's peer: its credentials.
  std::array<std::uint8_t, 16> bytes_ = {};
  std::uint32_t scope_id_ = 0;  // IPv6 link-local only
  std::uint16_t port_ = 0;      // host byte order
  Family family_ = Family::kIpv4;
};

// Whether `host` is a loopback name according to RFC 6761: `localhost` or a
// name that ends in `.localhost`, case-insensitive, with an optional trailing
// dot.
bool IsLocalhost(absl::string_view host);

// The addresses that `fd` is bound and connected to; 0.0.0.0:0 if the kernel
// reports an error.
SocketAddress LocalAddress(int fd);
SocketAddress PeerAddress(int fd);

// The peer of the connected Unix socket `fd`, with its credentials.
SocketAddress UnixPeerOf(int fd);

}  // namespace echod

#endif  // ECHO_BASE_SOCKET_ADDRESS_H_
