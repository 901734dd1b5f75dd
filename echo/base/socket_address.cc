// SPDX-License-Identifier: Apache-2.0

#include "echo/base/socket_address.h"

#include <arpa/inet.h>
#include <net/if.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "echo/base/unique_fd.h"

namespace echod {

namespace {

constexpr char kUnixName[] = "unix:";

struct HostAndPort {
  absl::string_view host;  // without brackets
  std::uint16_t port = 0;
};

bool IsNumber(absl::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return c >= '0' && c <= '9';
  });
}

absl::Status HasNoPort(absl::string_view text) {
  // What was probably meant.
  const std::string wanted =
      text.empty()     ? "address:port, such as 127.0.0.1:8080"
      : IsNumber(text) ? absl::StrCat("127.0.0.1:", text, ", or :", text,
                                      " for all addresses")
                       : absl::StrCat(text, ":PORT");
  return absl::InvalidArgumentError(absl::StrCat(
      "'", text, IsNumber(text) ? "' has no address" : "' has no port",
      "; write ", wanted));
}

absl::StatusOr<HostAndPort> Split(absl::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == absl::string_view::npos || text.back() == ']') {
    return HasNoPort(text);
  }
  absl::string_view host = text.substr(0, colon);
  const absl::string_view port_text = text.substr(colon + 1);
  if (!host.empty() && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != absl::string_view::npos) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", text,
                     "' is ambiguous; write an IPv6 address in brackets, such "
                     "as [::1]:8080"));
  }
  int port = 0;
  if (!IsNumber(port_text) || !absl::SimpleAtoi(port_text, &port) ||
      port > 65535) {
    return absl::InvalidArgumentError(absl::StrCat(
        "'", port_text, "' is not a port; write a number from 0 to 65535"));
  }
  return HostAndPort{.host = host, .port = static_cast<std::uint16_t>(port)};
}

}  // namespace

absl::StatusOr<SocketAddress> SocketAddress::Parse(absl::string_view text) {
  const absl::StatusOr<HostAndPort> split = Split(text);
  if (!split.ok()) return split.status();
  return FromHost(split->host, split->port);
}

absl::StatusOr<SocketAddress> SocketAddress::ParseListen(
    absl::string_view text) {
  const absl::StatusOr<HostAndPort> split = Split(text);
  if (!split.ok()) return split.status();
  if (IsLocalhost(split->host)) return Loopback(split->port);
  const bool all = split->host == "*" || text.front() == ':';
  return FromHost(all ? "::" : split->host, split->port);
}

SocketAddress SocketAddress::Loopback(std::uint16_t port) {
  SocketAddress v4;
  v4.bytes_ = {127, 0, 0, 1};
  v4.port_ = port;
  SocketAddress v6;
  v6.bytes_.back() = 1;
  v6.port_ = port;
  v6.family_ = Family::kIpv6;
  sockaddr_storage storage;
  const socklen_t length = v4.WithPort(0).ToKernel(storage);
  const UniqueFd fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const bool has_v4 =
      fd.valid() ? bind(fd.get(), reinterpret_cast<sockaddr*>(&storage),
                        length) == 0 ||
                       errno != EADDRNOTAVAIL
                 : errno != EAFNOSUPPORT;
  return has_v4 ? v4 : v6;
}

absl::StatusOr<SocketAddress> SocketAddress::FromHost(absl::string_view host,
                                                      std::uint16_t port) {
  SocketAddress address;
  address.port_ = port;
  // Rejects embedded NULs, at which inet_pton would stop.
  std::string number(host.substr(0, host.find('\0')));
  if (number.size() < host.size()) number.clear();
  if (inet_pton(AF_INET, number.c_str(), address.bytes_.data()) == 1) {
    return OneHost(address);
  }
  if (const auto percent = number.find('%'); percent != std::string::npos) {
    const std::string zone = number.substr(percent + 1);
    number.resize(percent);
    address.scope_id_ = if_nametoindex(zone.c_str());
    if (address.scope_id_ == 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("'", zone, "' is not a network interface of this host"));
    }
  }
  if (inet_pton(AF_INET6, number.c_str(), address.bytes_.data()) == 1) {
    address.family_ = Family::kIpv6;
    return OneHost(address);
  }
  if (absl::StartsWith(host, "[")) {
    return absl::InvalidArgumentError(absl::StrCat(
        "'", host, "' has brackets, which belong before a port only; write ",
        absl::StripSuffix(host.substr(1), "]")));
  }
  return absl::InvalidArgumentError(
      absl::StrCat("'", host,
                   "' is not an IP address; write a number such as 127.0.0.1 "
                   "or ::1 (in brackets before a port), or :: for all "
                   "addresses"));
}

absl::StatusOr<SocketAddress> SocketAddress::OneHost(
    const SocketAddress& address) {
  constexpr std::uint8_t kIpv4Multicast = 224;  // to 239
  const bool many =
      address.is_ipv6()
          ? address.bytes_[0] == 0xFF
          : (address.bytes_[0] & 0xF0) == kIpv4Multicast ||
                std::all_of(address.bytes_.begin(), address.bytes_.begin() + 4,
                            [](std::uint8_t byte) { return byte == 0xFF; });
  if (!many) return address;
  return absl::InvalidArgumentError(absl::StrCat(
      "'", address.Host(),
      "' stands for many hosts, to which no client can "
      "connect; write the address of one, or :: for all of this host's"));
}

SocketAddress SocketAddress::FromKernel(const sockaddr_storage& storage) {
  SocketAddress address;
  if (storage.ss_family == AF_INET) {
    sockaddr_in v4;
    std::memcpy(&v4, &storage, sizeof v4);
    std::memcpy(address.bytes_.data(), &v4.sin_addr, sizeof v4.sin_addr);
    address.port_ = ntohs(v4.sin_port);
  } else if (storage.ss_family == AF_INET6) {
    sockaddr_in6 v6;
    std::memcpy(&v6, &storage, sizeof v6);
    address.port_ = ntohs(v6.sin6_port);
    if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
      std::memcpy(address.bytes_.data(), &v6.sin6_addr.s6_addr[12], 4);
    } else {
      std::memcpy(address.bytes_.data(), &v6.sin6_addr, sizeof v6.sin6_addr);
      address.scope_id_ = v6.sin6_scope_id;
      address.family_ = Family::kIpv6;
    }
  } else if (storage.ss_family == AF_UNIX) {
    return UnixPeer({});
  }
  return address;
}

SocketAddress SocketAddress::UnixPeer(const PeerCredentials& peer) {
  SocketAddress address;
  address.family_ = Family::kUnix;
  static_assert(sizeof peer <= sizeof address.bytes_);
  std::memcpy(address.bytes_.data(), &peer, sizeof peer);
  return address;
}

std::optional<PeerCredentials> SocketAddress::credentials() const {
  if (!is_unix()) return std::nullopt;
  PeerCredentials peer;
  std::memcpy(&peer, bytes_.data(), sizeof peer);
  return peer;
}

SocketAddress SocketAddress::HostOnly() const {
  if (!is_unix()) return WithPort(0);
  return UnixPeer({.uid = credentials()->uid});
}

bool SocketAddress::is_unspecified() const {
  return std::all_of(bytes_.begin(), bytes_.end(),
                     [](std::uint8_t byte) { return byte == 0; });
}

SocketAddress SocketAddress::WithPort(std::uint16_t port) const {
  SocketAddress other = *this;
  other.port_ = port;
  return other;
}

socklen_t SocketAddress::ToKernel(sockaddr_storage& storage) const {
  storage = {};
  if (!is_ipv6()) {
    sockaddr_in v4 = {};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port_);
    std::memcpy(&v4.sin_addr, bytes_.data(), sizeof v4.sin_addr);
    std::memcpy(&storage, &v4, sizeof v4);
    return sizeof v4;
  }
  sockaddr_in6 v6 = {};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port_);
  v6.sin6_scope_id = scope_id_;
  std::memcpy(&v6.sin6_addr, bytes_.data(), sizeof v6.sin6_addr);
  std::memcpy(&storage, &v6, sizeof v6);
  return sizeof v6;
}

std::string SocketAddress::Host() const {
  if (is_unix()) return kUnixName;
  char text[INET6_ADDRSTRLEN] = {};
  inet_ntop(is_ipv6() ? AF_INET6 : AF_INET, bytes_.data(), text, sizeof text);
  if (scope_id_ == 0) return text;
  char zone[IF_NAMESIZE] = {};
  if (if_indextoname(scope_id_, zone) == nullptr) return text;
  return absl::StrCat(text, "%", zone);
}

std::string SocketAddress::ToString() const {
  if (is_unix()) return kUnixName;
  return is_ipv6() ? absl::StrCat("[", Host(), "]:", port_)
                   : absl::StrCat(Host(), ":", port_);
}

bool IsLocalhost(absl::string_view host) {
  absl::ConsumeSuffix(&host, ".");
  return absl::EqualsIgnoreCase(host, "localhost") ||
         absl::EndsWithIgnoreCase(host, ".localhost");
}

SocketAddress LocalAddress(int fd) {
  sockaddr_storage storage = {};
  socklen_t length = sizeof storage;
  getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &length);
  return SocketAddress::FromKernel(storage);
}

SocketAddress PeerAddress(int fd) {
  sockaddr_storage storage = {};
  socklen_t length = sizeof storage;
  getpeername(fd, reinterpret_cast<sockaddr*>(&storage), &length);
  return SocketAddress::FromKernel(storage);
}

SocketAddress UnixPeerOf(int fd) {
  ucred peer = {};
  socklen_t length = sizeof peer;
  getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length);
  return SocketAddress::UnixPeer({.pid = static_cast<std::int32_t>(peer.pid),
                                  .uid = peer.uid,
                                  .gid = peer.gid});
}

}  // namespace echod
