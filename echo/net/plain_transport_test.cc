// SPDX-License-Identifier: Apache-2.0

#include "echo/net/plain_transport.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "echo/base/socket_address.h"
#include "echo/base/unique_fd.h"
#include "echo/event/event_loop.h"
#include "echo/net/listen_socket.h"
#include "echo/net/transport.h"
#include "gtest/gtest.h"

namespace echod {
namespace {

struct SocketPair {
  UniqueFd server;  // non-blocking
  UniqueFd client;
};

SocketPair UnixPair() {
  int fds[2] = {-1, -1};
  EXPECT_EQ(
      socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds),
      0);
  return {.server = UniqueFd(fds[0]), .client = UniqueFd(fds[1])};
}

SocketPair TcpPair() {
  const ListenSocket listening =
      *OpenListenSocket(*SocketAddress::Parse("127.0.0.1:0"), 1);
  UniqueFd client(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  // The peer's kernel confirms no more than this fits.
  constexpr int kSmall = 4096;
  setsockopt(client.get(), SOL_SOCKET, SO_RCVBUF, &kSmall, sizeof kSmall);
  sockaddr_storage storage;
  const socklen_t length = listening.address.ip().ToKernel(storage);
  EXPECT_EQ(
      connect(client.get(), reinterpret_cast<sockaddr*>(&storage), length), 0);
  return {.server = UniqueFd(accept4(listening.fd.get(), nullptr, nullptr,
                                     SOCK_CLOEXEC | SOCK_NONBLOCK)),
          .client = std::move(client)};
}

class PlainTransportTest : public ::testing::Test {
 protected:
  TransportPtr Make(UniqueFd socket, PlainTransport::Kind kind) {
    return PlainTransport::In(space_, *loop_, std::move(socket), kind);
  }

  const std::unique_ptr<EventLoop> loop_ = *EventLoop::Create();
  TransportSpace space_;
};

// A close of a TCP connection has to wait for these. What a Unix socket has
// sent is with its peer, read or not: a peer that never reads would hold up its
// end for ever.
TEST_F(PlainTransportTest, OnlyTcpHasUnconfirmedBytes) {
  for (const PlainTransport::Kind kind :
       {PlainTransport::Kind::kTcp, PlainTransport::Kind::kUnix}) {
    const bool is_tcp = kind == PlainTransport::Kind::kTcp;
    SocketPair pair = is_tcp ? TcpPair() : UnixPair();
    const TransportPtr transport = Make(std::move(pair.server), kind);
    const std::string bytes(64 << 10, 'x');
    EXPECT_EQ(transport->UnconfirmedBytes(), 0);
    const Transport::WriteResult written = transport->Write(bytes);
    EXPECT_EQ(written.status, Transport::WriteResult::Status::kAccepted);
    EXPECT_GT(written.sent, 0);
    EXPECT_EQ(transport->UnconfirmedBytes() > 0, is_tcp);
  }
}

}  // namespace
}  // namespace echod
