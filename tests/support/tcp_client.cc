// SPDX-License-Identifier: Apache-2.0

#include "tests/support/tcp_client.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace echod::testing {
namespace {

void SetOption(int fd, int level, int name, int value) {
  setsockopt(fd, level, name, &value, sizeof value);
}

}  // namespace

std::optional<TcpClient> TcpClient::Connect(const SocketAddress& server,
                                            const Options& options) {
  UniqueFd fd(socket(server.is_ipv6() ? AF_INET6 : AF_INET,
                     SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (options.receive_buffer > 0) {
    SetOption(fd.get(), SOL_SOCKET, SO_RCVBUF, options.receive_buffer);
  }
  if (options.send_buffer > 0) {
    SetOption(fd.get(), SOL_SOCKET, SO_SNDBUF, options.send_buffer);
  }
  if (options.max_segment > 0) {
    SetOption(fd.get(), IPPROTO_TCP, TCP_MAXSEG, options.max_segment);
  }
  SetOption(fd.get(), IPPROTO_TCP, TCP_NODELAY, 1);
  const timeval timeout = absl::ToTimeval(options.timeout);
  setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
  setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
  sockaddr_storage storage;
  if (options.source != SocketAddress()) {
    const socklen_t size = options.source.ToKernel(storage);
    if (bind(fd.get(), reinterpret_cast<sockaddr*>(&storage), size) != 0) {
      return std::nullopt;
    }
  }
  const socklen_t length = server.ToKernel(storage);
  if (connect(fd.get(), reinterpret_cast<sockaddr*>(&storage), length) != 0) {
    return std::nullopt;
  }
  return TcpClient(std::move(fd));
}

std::optional<TcpClient> TcpClient::ConnectTo(const std::string& path) {
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const timeval timeout = absl::ToTimeval(Options().timeout);
  setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
  setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
  sockaddr_un name = {};
  name.sun_family = AF_UNIX;
  path.copy(name.sun_path, sizeof name.sun_path - 1);
  if (connect(fd.get(), reinterpret_cast<sockaddr*>(&name), sizeof name) != 0) {
    return std::nullopt;
  }
  return TcpClient(std::move(fd));
}

bool TcpClient::Send(absl::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent =
        send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

bool TcpClient::SendUrgent(absl::string_view bytes) {
  return send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_OOB) ==
         static_cast<ssize_t>(bytes.size());
}

std::size_t TcpClient::SendSome(absl::string_view bytes) {
  std::size_t total = 0;
  while (total < bytes.size()) {
    const ssize_t sent =
        send(fd_.get(), bytes.data() + total, bytes.size() - total,
             MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0) break;
    total += static_cast<std::size_t>(sent);
  }
  return total;
}

std::string TcpClient::Read(std::size_t size) {
  std::string bytes(size, '\0');
  std::size_t total = 0;
  while (total < size) {
    const ssize_t received =
        recv(fd_.get(), bytes.data() + total, size - total, 0);
    if (received <= 0) break;
    total += static_cast<std::size_t>(received);
  }
  bytes.resize(total);
  return bytes;
}

std::string TcpClient::ReadToEnd(End* end) {
  std::string bytes;
  char buffer[64 * 1024];
  for (;;) {
    const ssize_t received = recv(fd_.get(), buffer, sizeof buffer, 0);
    if (received > 0) {
      bytes.append(buffer, static_cast<std::size_t>(received));
      continue;
    }
    if (end != nullptr) {
      *end = received == 0     ? End::kEof
             : errno == EAGAIN ? End::kTimeout
                               : End::kReset;
    }
    return bytes;
  }
}

TcpClient::End TcpClient::WaitForEnd() {
  End end = End::kTimeout;
  ReadToEnd(&end);
  return end;
}

void TcpClient::FinishSending() { shutdown(fd_.get(), SHUT_WR); }

void TcpClient::Reset() {
  const linger abort = {.l_onoff = 1, .l_linger = 0};
  setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
  fd_.Reset();
}

}  // namespace echod::testing
