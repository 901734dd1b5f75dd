// SPDX-License-Identifier: Apache-2.0

#include "tests/load/resolve.h"

#include <netdb.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace echod::load {
namespace {

struct AddrinfoDeleter {
  void operator()(addrinfo* info) const { freeaddrinfo(info); }
};

absl::Status NoPlace(absl::string_view place, absl::string_view advice) {
  return absl::InvalidArgumentError(
      absl::StrCat("'", place, "' is not host:port; ", advice));
}

}  // namespace

absl::StatusOr<std::vector<SocketAddress>> Resolve(absl::string_view place) {
  if (absl::StrContains(place, "/")) {
    return NoPlace(place, "leave out the rest, as in localhost:8080");
  }
  const auto colon = place.rfind(':');
  if (colon == absl::string_view::npos || colon == 0) {
    return NoPlace(place, "write it as in localhost:8080");
  }
  const absl::string_view host = place.substr(0, colon);
  std::uint32_t port = 0;
  if (!absl::SimpleAtoi(place.substr(colon + 1), &port) || port < 1 ||
      port > 65'535) {
    return NoPlace(place, "a port is a number from 1 to 65535");
  }
  if (absl::StatusOr<SocketAddress> numeric = SocketAddress::Parse(place);
      numeric.ok()) {
    return std::vector<SocketAddress>{*numeric};
  }
  if (absl::StrContains(host, ":")) {
    return NoPlace(place, "write IPv6 in brackets, as in [::1]:8080");
  }
  if (IsLocalhost(host)) {
    // RFC 6761: independent of the resolver.
    const auto at = static_cast<std::uint16_t>(port);
    return std::vector<SocketAddress>{*SocketAddress::FromHost("127.0.0.1", at),
                                      *SocketAddress::FromHost("::1", at)};
  }
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error =
      getaddrinfo(std::string(host).c_str(), nullptr, &hints, &found);
  if (error != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("cannot find '", host, "': ", gai_strerror(error),
                     "; write host:port, such as localhost:8080"));
  }
  const std::unique_ptr<addrinfo, AddrinfoDeleter> owned(found);
  std::vector<SocketAddress> addresses;
  for (const addrinfo* each = found; each != nullptr; each = each->ai_next) {
    if (each->ai_family != AF_INET && each->ai_family != AF_INET6) continue;
    sockaddr_storage storage = {};
    std::memcpy(&storage, each->ai_addr, each->ai_addrlen);
    addresses.push_back(SocketAddress::FromKernel(storage).WithPort(
        static_cast<std::uint16_t>(port)));
  }
  if (addresses.empty()) return NoPlace(place, "it has no IP address");
  // A server on [::] accepts both families.
  std::stable_partition(
      addresses.begin(), addresses.end(),
      [](const SocketAddress& address) { return !address.is_ipv6(); });
  return addresses;
}

}  // namespace echod::load
