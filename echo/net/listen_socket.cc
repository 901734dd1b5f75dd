// SPDX-License-Identifier: Apache-2.0

#include "echo/net/listen_socket.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "echo/base/logging.h"
#include "echo/base/socket_address.h"
#include "echo/control/control_error.h"

namespace echod {
namespace {

absl::Status Failed(
    const char* reason, const char* name, const std::string& message,
    absl::StatusCode code = absl::StatusCode::kFailedPrecondition) {
  return ControlError(code, message,
                      {.reason = reason, .field = "", .errno_name = name});
}

// OK if the error says nothing that is special for a path.
absl::Status PathError(const std::string& where, int error) {
  switch (error) {
    case EADDRINUSE:
      return Failed("ADDRESS_IN_USE", "EADDRINUSE",
                    absl::StrCat("cannot listen on ", where,
                                 ": a socket is bound to it, or the file is no "
                                 "socket; choose another path, or remove it"));
    case EACCES:
    case EPERM:
    case EROFS:
      return Failed("BIND_PERMISSION_DENIED",
                    error == EACCES  ? "EACCES"
                    : error == EPERM ? "EPERM"
                                     : "EROFS",
                    absl::StrCat("cannot listen on ", where,
                                 ": no permission to create it; choose "
                                 "another directory, or make it writable"));
    case ENOENT:
    case ENOTDIR:
      return Failed("ADDRESS_NOT_AVAILABLE",
                    error == ENOENT ? "ENOENT" : "ENOTDIR",
                    absl::StrCat("cannot listen on ", where,
                                 ": its directory does not exist; create it"));
    default:
      return absl::OkStatus();
  }
}

absl::Status ListenError(const ListenAddress& address, int error) {
  const std::string where = address.ToString();
  if (address.is_unix()) {
    absl::Status special = PathError(where, error);
    if (!special.ok()) return special;
  }
  switch (error) {
    case EADDRINUSE:
      return Failed(
          "ADDRESS_IN_USE", "EADDRINUSE",
          absl::StrCat("cannot listen on ", where,
                       ": the port is already in use; choose another, "
                       "or 0 to let the kernel choose"));
    case EACCES:
    case EPERM:
      return Failed(
          "BIND_PERMISSION_DENIED", error == EACCES ? "EACCES" : "EPERM",
          absl::StrCat("cannot listen on ", where,
                       ": no permission; choose a port above 1023, or "
                       "grant CAP_NET_BIND_SERVICE"));
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT:
      return Failed(
          "ADDRESS_NOT_AVAILABLE",
          error == EADDRNOTAVAIL ? "EADDRNOTAVAIL" : "EAFNOSUPPORT",
          absl::StrCat(
              "cannot listen on ", where,
              ": this host does not have that address; choose one that "
              "it has, or :: for all"));
    case EMFILE:
    case ENFILE:
      return Failed(
          "DESCRIPTORS_EXHAUSTED", error == EMFILE ? "EMFILE" : "ENFILE",
          absl::StrCat("cannot listen on ", where,
                       ": no file descriptor is left; raise the limit "
                       "(ulimit -n), or close connections"),
          absl::StatusCode::kResourceExhausted);
    default:
      return Failed(
          "LISTEN_FAILED", absl::StrCat("errno ", error).c_str(),
          absl::StrCat("cannot listen on ", where, ": ", std::strerror(error)));
  }
}

bool SetOption(int fd, int level, int name, int value) {
  return setsockopt(fd, level, name, &value, sizeof value) == 0;
}

bool GetOption(int fd, int name, int& value) {
  socklen_t length = sizeof value;
  return getsockopt(fd, SOL_SOCKET, name, &value, &length) == 0;
}

// Those that sockets accepted from it inherit. False, and errno, on an error.
bool SetOptionsToInherit(int fd) {
  // Urgent data stays in its place in the stream.
  return SetOption(fd, IPPROTO_TCP, TCP_NODELAY, 1) &&
         SetOption(fd, SOL_SOCKET, SO_KEEPALIVE, 1) &&
         SetOption(fd, SOL_SOCKET, SO_OOBINLINE, 1);
}

constexpr int kHighestHopLimit = 255;

// For both families: an IPv6 socket gets IPv4 packets, too.
bool SetHopLimit(int fd, int least) {
  const bool ipv6 = !LocalAddress(fd).is_ipv6() ||
                    SetOption(fd, IPPROTO_IPV6, IPV6_MINHOPCOUNT, least);
  return SetOption(fd, IPPROTO_IP, IP_MINTTL, least) && ipv6;
}

enum class Purpose {
  kListen,
  kCheck,           // it will never listen
  kCheckBesideOwn,  // nor mind sockets that have SO_REUSEPORT
};

// An errno, or 0 and a socket.
int TryBind(const SocketAddress& address, Purpose purpose, UniqueFd& bound) {
  UniqueFd fd(socket(address.is_ipv6() ? AF_INET6 : AF_INET,
                     SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return errno;
  // Lets a restart bind while connections of the earlier run are in TIME_WAIT.
  // Has no effect after bind.
  if (!SetOption(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1)) return errno;
  if (address.is_ipv6() && !SetOption(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, 0)) {
    return errno;
  }
  if (purpose == Purpose::kCheckBesideOwn &&
      !SetOption(fd.get(), SOL_SOCKET, SO_REUSEPORT, 1)) {
    return errno;
  }
  if (purpose != Purpose::kListen && address.port() == 0) {
    // Tries the address alone, with no port taken.
    SetOption(fd.get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
  }
  sockaddr_storage storage;
  const socklen_t length = address.ToKernel(storage);
  if (bind(fd.get(), reinterpret_cast<sockaddr*>(&storage), length) != 0) {
    return errno;
  }
  bound = std::move(fd);
  return 0;
}

// An errno, or 0 and a socket.
int TryListenOnPath(const ListenAddress& address, int backlog,
                    ListenSocket& listening) {
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return errno;
  SocketFile file;
  if (const int error = SocketFile::Bind(fd.get(), address.path(), file);
      error != 0) {
    return error;
  }
  if (listen(fd.get(), backlog) != 0) return errno;
  listening = {
      .fd = std::move(fd), .address = address, .file = std::move(file)};
  return 0;
}

// An errno, or 0 and a socket.
int TryListen(const SocketAddress& address, int backlog,
              ListenSocket& listening) {
  UniqueFd fd;
  if (const int error = TryBind(address, Purpose::kListen, fd); error != 0) {
    return error;
  }
  if (!SetOptionsToInherit(fd.get())) return errno;
  if (listen(fd.get(), backlog) != 0) return errno;
  sockaddr_storage bound = {};
  socklen_t length = sizeof bound;
  if (getsockname(fd.get(), reinterpret_cast<sockaddr*>(&bound), &length) !=
      0) {
    return errno;
  }
  listening = {.fd = std::move(fd),
               .address = SocketAddress::FromKernel(bound),
               .file = {}};
  return 0;
}

// Calls `attempt` with `address`; if that is [::] and this host has no IPv6,
// with 0.0.0.0. Returns an errno, or 0.
int TryAddress(const SocketAddress& address,
               absl::FunctionRef<int(const SocketAddress&)> attempt) {
  const int error = attempt(address);
  if (!address.is_ipv6() || !address.is_unspecified() ||
      (error != EAFNOSUPPORT && error != EADDRNOTAVAIL)) {
    return error;
  }
  LogInfo("this host has no IPv6; listening on IPv4 only");
  return attempt(SocketAddress().WithPort(address.port()));
}

}  // namespace

absl::StatusOr<ListenSocket> OpenListenSocket(const ListenAddress& address,
                                              int backlog) {
  ListenSocket listening;
  const int error =
      address.is_unix()
          ? TryListenOnPath(address, backlog, listening)
          : TryAddress(address.ip(), [&](const SocketAddress& attempted) {
              return TryListen(attempted, backlog, listening);
            });
  if (error != 0) return ListenError(address, error);
  return listening;
}

absl::StatusOr<ListenSocket> AdoptListenSocket(UniqueFd fd) {
  int listens = 0;
  int type = 0;
  if (!GetOption(fd.get(), SO_ACCEPTCONN, listens) ||
      !GetOption(fd.get(), SO_TYPE, type) || listens == 0 ||
      type != SOCK_STREAM) {
    return absl::InvalidArgumentError(
        "it is not a listening stream socket; in a systemd socket unit, use "
        "ListenStream= and Accept=no");
  }
  sockaddr_storage storage = {};
  socklen_t length = sizeof storage;
  if (getsockname(fd.get(), reinterpret_cast<sockaddr*>(&storage), &length) !=
      0) {
    return absl::InvalidArgumentError(std::strerror(errno));
  }
  ListenSocket adopted;
  if (storage.ss_family == AF_UNIX) {
    sockaddr_un name = {};
    std::memcpy(&name, &storage, sizeof name);
    // The kernel ends it with a NUL, unless it fills the array.
    const absl::StatusOr<ListenAddress> address = ListenAddress::FromHost(
        absl::StrCat("unix:",
                     std::string(name.sun_path,
                                 strnlen(name.sun_path, sizeof name.sun_path))),
        0);
    if (!address.ok()) return address.status();
    adopted.address = *address;
  } else if (storage.ss_family == AF_INET || storage.ss_family == AF_INET6) {
    adopted.address = SocketAddress::FromKernel(storage);
    if (!SetOptionsToInherit(fd.get())) {
      return absl::InvalidArgumentError(std::strerror(errno));
    }
  } else {
    return absl::InvalidArgumentError("it is neither TCP nor a Unix socket");
  }
  if (fcntl(fd.get(), F_SETFD, FD_CLOEXEC) != 0 ||
      fcntl(fd.get(), F_SETFL, fcntl(fd.get(), F_GETFL) | O_NONBLOCK) != 0) {
    return absl::InvalidArgumentError(std::strerror(errno));
  }
  adopted.fd = std::move(fd);
  adopted.inherited = true;
  return adopted;
}

absl::Status CheckListenAddress(const ListenAddress& address,
                                const std::vector<int>& disregarded) {
  if (address.is_unix()) {
    const int error = SocketFile::Check(address.path());
    return error == 0 ? absl::OkStatus() : ListenError(address, error);
  }
  // The kernel lets two sockets of one user share a port if both ask for it.
  // For the time of this check, they do.
  for (const int fd : disregarded) SetOption(fd, SOL_SOCKET, SO_REUSEPORT, 1);
  const Purpose purpose =
      disregarded.empty() ? Purpose::kCheck : Purpose::kCheckBesideOwn;
  const int error =
      TryAddress(address.ip(), [&](const SocketAddress& attempted) {
        UniqueFd bound;
        return TryBind(attempted, purpose, bound);
      });
  for (const int fd : disregarded) SetOption(fd, SOL_SOCKET, SO_REUSEPORT, 0);
  return error == 0 ? absl::OkStatus() : ListenError(address, error);
}

bool StopHandshakesByFilter(int listen_fd) {
  // The packet begins at its TCP header; byte 13 holds the flags. Drop what has
  // SYN; let the rest pass, for a handshake's last ACK has none.
  sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 13),
      BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x02, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, 0),
      BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
  };
  const sock_fprog program = {.len = sizeof code / sizeof code[0],
                              .filter = code};
  return setsockopt(listen_fd, SOL_SOCKET, SO_ATTACH_FILTER, &program,
                    sizeof program) == 0;
}

bool StopHandshakesByHopLimit(int listen_fd) {
  return SetHopLimit(listen_fd, kHighestHopLimit);
}

void LiftHopLimit(int accepted_fd) { SetHopLimit(accepted_fd, 0); }

HandshakeStop StopHandshakes(int listen_fd) {
  if (StopHandshakesByFilter(listen_fd)) return HandshakeStop::kFilter;
  if (StopHandshakesByHopLimit(listen_fd)) return HandshakeStop::kHopLimit;
  LogWarning(absl::StrCat("cannot block new handshakes (", std::strerror(errno),
                          "): clients that connect while the port closes may "
                          "be reset"));
  return HandshakeStop::kNone;
}

}  // namespace echod
