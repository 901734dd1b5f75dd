// SPDX-License-Identifier: Apache-2.0

#include "admin/transport/admin_peer.h"

#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"

namespace echod {
namespace {

constexpr absl::string_view kPrefix = "echod-admin/";

}  // namespace

void NameAfterClient(int fd, const SocketAddress& client) {
  std::uint64_t random = 0;
  if (getrandom(&random, sizeof random, GRND_NONBLOCK) < 0) return;
  const std::string name =
      absl::StrCat(kPrefix, client.ToString(), "/", random);
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  // An abstract name begins with a NUL and has no file.
  if (name.size() >= sizeof address.sun_path) return;
  std::memcpy(address.sun_path + 1, name.data(), name.size());
  // Without a name the client is anonymous, but can be served.
  static_cast<void>(
      bind(fd, reinterpret_cast<const sockaddr*>(&address),
           static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 +
                                  name.size())));
}

std::string ClientOfPeer(absl::string_view peer) {
  absl::string_view name = peer;
  if (!absl::ConsumePrefix(&name, "unix-abstract:") ||
      !absl::ConsumePrefix(&name, kPrefix)) {
    return std::string(peer);
  }
  // gRPC formats it as a URI, which escapes IPv6's brackets.
  return absl::StrReplaceAll(name.substr(0, name.find('/')),
                             {{"%5B", "["}, {"%5D", "]"}, {"%25", "%"}});
}

}  // namespace echod
