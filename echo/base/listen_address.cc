// SPDX-License-Identifier: Apache-2.0

#include "echo/base/listen_address.h"

#include <sys/un.h>

#include <algorithm>
#include <cstddef>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace echod {
namespace {

constexpr absl::string_view kUnix = "unix:";

// The kernel takes paths with their NUL.
constexpr std::size_t kLongestPath = sizeof(sockaddr_un::sun_path) - 1;

absl::Status CheckPath(absl::string_view path) {
  if (!absl::StartsWith(path, "/") || absl::EndsWith(path, "/")) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", path,
                     "' is not the path of a Unix socket; write an absolute "
                     "one, such as unix:/run/echod.sock"));
  }
  if (!std::all_of(path.begin(), path.end(),
                   [](unsigned char c) { return absl::ascii_isprint(c); })) {
    return absl::InvalidArgumentError(
        "the path of a Unix socket has a character that is not printable "
        "ASCII; leave it out");
  }
  if (path.size() > kLongestPath) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the path of a Unix socket has ", path.size(),
        " bytes; choose a shorter one, of at most ", kLongestPath));
  }
  return absl::OkStatus();
}

}  // namespace

bool IsUnixAddress(absl::string_view host) {
  return absl::StartsWith(host, kUnix);
}

absl::StatusOr<ListenAddress> ListenAddress::Parse(absl::string_view text) {
  if (IsUnixAddress(text)) return FromHost(text, 0);
  absl::StatusOr<SocketAddress> ip = SocketAddress::ParseListen(text);
  if (!ip.ok()) return std::move(ip).status();
  return *ip;
}

absl::StatusOr<ListenAddress> ListenAddress::FromHost(absl::string_view host,
                                                      std::uint16_t port) {
  if (absl::ConsumePrefix(&host, kUnix)) {
    if (absl::Status valid = CheckPath(host); !valid.ok()) return valid;
    ListenAddress address;
    address.path_ = std::string(host);
    return address;
  }
  absl::StatusOr<SocketAddress> ip = SocketAddress::FromHost(host, port);
  if (!ip.ok()) return std::move(ip).status();
  return *ip;
}

ListenAddress ListenAddress::WithPort(std::uint16_t port) const {
  return is_unix() ? *this : ListenAddress(ip_.WithPort(port));
}

std::string ListenAddress::Host() const {
  return is_unix() ? absl::StrCat(kUnix, path_) : ip_.Host();
}

std::string ListenAddress::ToString() const {
  return is_unix() ? Host() : ip_.ToString();
}

}  // namespace echod
