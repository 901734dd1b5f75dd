// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_BASE_LISTEN_ADDRESS_H_
#define ECHO_BASE_LISTEN_ADDRESS_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "echo/base/socket_address.h"

namespace echod {

// Whether `host` is to be the path of a Unix socket: whether it begins with
// `unix:`.
bool IsUnixAddress(absl::string_view host);

// Where a server listens: an IP address and a port, or the path of a Unix
// socket. A plain value.
class ListenAddress {
 public:
  ListenAddress() = default;  // 0.0.0.0:0
  // Implicit, since every such address is also one to listen on.
  // NOLINTNEXTLINE(google-explicit-constructor)
  ListenAddress(const SocketAddress& ip) : ip_(ip) {}

  // Parses `unix:/path`, or what SocketAddress::ParseListen does. Errors are
  // INVALID_ARGUMENT and say what is wrong.
  static absl::StatusOr<ListenAddress> Parse(absl::string_view text);

  // From `unix:/path`, whose `port` is ignored; or an IP address without
  // brackets, and a port.
  static absl::StatusOr<ListenAddress> FromHost(absl::string_view host,
                                                std::uint16_t port);

  bool is_unix() const { return !path_.empty(); }
  const std::string& path() const { return path_; }  // only if is_unix()
  const SocketAddress& ip() const { return ip_; }    // unless is_unix()
  std::uint16_t port() const { return ip_.port(); }  // 0 if is_unix()

  // The same where it is a path.
  ListenAddress WithPort(std::uint16_t port) const;

  // Without brackets and port; `unix:/path`.
  std::string Host() const;

  // `host:port`, IPv6 in brackets; `unix:/path`.
  std::string ToString() const;

  friend bool operator==(const ListenAddress&, const ListenAddress&) = default;

 private:
  SocketAddress ip_;
  std::string path_;  // empty: an IP address
};

}  // namespace echod

#endif  // ECHO_BASE_LISTEN_ADDRESS_H_
