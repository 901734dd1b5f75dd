// SPDX-License-Identifier: Apache-2.0

#ifndef TESTS_SUPPORT_RESERVED_PORT_H_
#define TESTS_SUPPORT_RESERVED_PORT_H_

#include <netinet/in.h>
#include <sys/socket.h>

#include "echo/base/check.h"
#include "echo/base/socket_address.h"
#include "echo/base/unique_fd.h"

namespace echod::testing {

// A port of 127.0.0.1 that the kernel gives to nobody else, until destroyed. A
// socket that has SO_REUSEADDR can bind it, and listen.
class ReservedPort {
 public:
  ReservedPort() : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const int on = 1;
    sockaddr_storage storage = {};
    socklen_t length =
        SocketAddress::FromHost("127.0.0.1", 0)->ToKernel(storage);
    auto* const address = reinterpret_cast<sockaddr*>(&storage);
    ECHOD_CHECK(
        setsockopt(fd_.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
        bind(fd_.get(), address, length) == 0 &&
        getsockname(fd_.get(), address, &length) == 0);
    port_ = SocketAddress::FromKernel(storage).port();
  }

  int port() const { return port_; }

 private:
  const UniqueFd fd_;
  int port_ = 0;
};

}  // namespace echod::testing

#endif  // TESTS_SUPPORT_RESERVED_PORT_H_
