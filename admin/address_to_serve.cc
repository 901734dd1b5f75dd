#include "admin/address_to_serve.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace echod {
namespace {

struct AddrinfoDeleter {
  void operator()(addrinfo* info) const { freeaddrinfo(info); }
};

// An errno, or 0.
int TryBind(const addrinfo& info) {
  const int fd = socket(info.ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return errno;
  const int on = 1;
  const int off = 0;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  // As gRPC does: [::] takes IPv4, too.
  if (info.ai_family == AF_INET6) {
    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  }
  const bool bound =
      bind(fd, info.ai_addr, info.ai_addrlen) == 0 && listen(fd, 1) == 0;
  const int error = bound ? 0 : errno;
  close(fd);
  return error;
}

std::string Advice(int error) {
  switch (error) {
    case EADDRINUSE:
      return "the port is already in use; choose another with --admin_address, "
             "or port 0 to let the kernel choose";
    case EACCES:
    case EPERM:
      return "no permission; choose a port above 1023 with --admin_address";
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT:
      return "this host does not have that address; choose one that it has "
             "with "
             "--admin_address";
    default:
      return absl::StrCat(std::strerror(error),
                          "; choose another address with --admin_address");
  }
}

}  // namespace

absl::StatusOr<std::string> AddressToServe(absl::string_view address) {
  const auto colon = address.rfind(':');
  if (colon == absl::string_view::npos) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", address, "' has no port; write host:port"));
  }
  const std::string port(address.substr(colon + 1));
  absl::string_view host = address.substr(0, colon);
  if (absl::ConsumePrefix(&host, "[")) absl::ConsumeSuffix(&host, "]");
  addrinfo hints = {};
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(std::string(host).c_str(), port.c_str(), &hints, &found) !=
      0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "'", address, "' is not an IP address and a port; write host:port"));
  }
  const std::unique_ptr<addrinfo, AddrinfoDeleter> owned(found);
  const int error = TryBind(*owned);
  if (error == 0) return std::string(address);
  if (host == "::" && (error == EAFNOSUPPORT || error == EADDRNOTAVAIL)) {
    return AddressToServe(absl::StrCat("0.0.0.0:", port));
  }
  return absl::FailedPreconditionError(
      absl::StrCat("cannot serve gRPC on ", address, ": ", Advice(error)));
}

}  // namespace echod
