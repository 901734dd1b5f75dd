// SPDX-License-Identifier: Apache-2.0

#include "echo/net/listen_socket.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "echo/base/socket_address.h"
#include "echo/base/unique_fd.h"
#include "echo/control/control_error.h"
#include "gtest/gtest.h"
#include "tests/support/tcp_client.h"

namespace echod {
namespace {

using testing::TcpClient;

// Over loopback the kernel has answered, or dropped, a SYN when `connect`
// returns.
std::uint8_t StateAfterConnect(const SocketAddress& server) {
  const UniqueFd fd(socket(server.is_ipv6() ? AF_INET6 : AF_INET,
                           SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  sockaddr_storage storage;
  const socklen_t length = server.ToKernel(storage);
  const int result =
      connect(fd.get(), reinterpret_cast<sockaddr*>(&storage), length);
  EXPECT_TRUE(result == 0 || errno == EINPROGRESS);
  tcp_info info = {};
  socklen_t size = sizeof info;
  EXPECT_EQ(getsockopt(fd.get(), IPPROTO_TCP, TCP_INFO, &info, &size), 0);
  return info.tcpi_state;
}

UniqueFd AcceptWithin20s(const UniqueFd& listening) {
  pollfd wait = {.fd = listening.get(), .events = POLLIN, .revents = 0};
  EXPECT_EQ(poll(&wait, 1, 20'000), 1);
  return UniqueFd(accept4(listening.get(), nullptr, nullptr, SOCK_CLOEXEC));
}

std::string Received(const UniqueFd& socket, std::size_t size) {
  std::string bytes(size, '\0');
  const ssize_t got = recv(socket.get(), bytes.data(), size, MSG_WAITALL);
  bytes.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return bytes;
}

struct Stop {
  const char* name;
  bool (*stop)(int listen_fd);
  void (*after_accept)(int accepted_fd);
  const char* address;
};

class StopHandshakesTest : public ::testing::TestWithParam<Stop> {
 protected:
  void SetUp() override {
    const ListenSocket other =
        *OpenListenSocket(*SocketAddress::Parse("[::]:0"), 1);
    if (!GetParam().stop(other.fd.get()) && errno == EPERM) {
      GTEST_SKIP() << "this system allows it only to a privileged process";
    }
  }

  const ListenSocket socket_ =
      *OpenListenSocket(*SocketAddress::Parse(GetParam().address), 16);
  const UniqueFd& listening_ = socket_.fd;
  const SocketAddress& address_ = socket_.address.ip();
};

TEST_P(StopHandshakesTest, DropsNewOnes) {
  EXPECT_EQ(StateAfterConnect(address_), TCP_ESTABLISHED);
  ASSERT_TRUE(GetParam().stop(listening_.get()));
  EXPECT_EQ(StateAfterConnect(address_), TCP_SYN_SENT);
  const SocketAddress ipv4 = SocketAddress().WithPort(address_.port());
  EXPECT_EQ(StateAfterConnect(ipv4), TCP_SYN_SENT);
}

TEST_P(StopHandshakesTest, CompletesThoseUnderWay) {
  // With this the kernel takes a handshake for unfinished until data comes: so
  // there is one for as long as the test wants.
  const int seconds = 20;
  ASSERT_EQ(setsockopt(listening_.get(), IPPROTO_TCP, TCP_DEFER_ACCEPT,
                       &seconds, sizeof seconds),
            0);
  std::optional<TcpClient> client = TcpClient::Connect(address_);
  ASSERT_TRUE(client.has_value());
  EXPECT_EQ(accept(listening_.get(), nullptr, nullptr), -1);
  ASSERT_TRUE(GetParam().stop(listening_.get()));
  ASSERT_TRUE(client->Send("one"));
  const UniqueFd accepted = AcceptWithin20s(listening_);
  ASSERT_TRUE(accepted.valid());
  GetParam().after_accept(accepted.get());
  EXPECT_EQ(Received(accepted, 3), "one");
  ASSERT_TRUE(client->Send("two"));
  EXPECT_EQ(Received(accepted, 3), "two");
}

INSTANTIATE_TEST_SUITE_P(
    EachWay, StopHandshakesTest,
    ::testing::Values(
        Stop{"Filter", &StopHandshakesByFilter, [](int) {}, "127.0.0.1:0"},
        Stop{"FilterOnAll", &StopHandshakesByFilter, [](int) {}, "[::]:0"},
        Stop{"HopLimit", &StopHandshakesByHopLimit, &LiftHopLimit,
             "127.0.0.1:0"},
        Stop{"HopLimitOnAll", &StopHandshakesByHopLimit, &LiftHopLimit,
             "[::]:0"}),
    [](const auto& param) { return std::string(param.param.name); });

TEST(CheckListenAddressTest, FindsWhatListensButForWhatItIsToDisregard) {
  const ListenSocket first =
      *OpenListenSocket(*SocketAddress::Parse("127.0.0.1:0"), 1);
  const SocketAddress taken = first.address.ip();
  const SocketAddress all =
      SocketAddress::Parse("[::]:0")->WithPort(taken.port());
  for (const SocketAddress& address : {taken, all}) {
    EXPECT_EQ(GetErrorDetail(CheckListenAddress(address, {})).reason,
              "ADDRESS_IN_USE");
    EXPECT_TRUE(CheckListenAddress(address, {first.fd.get()}).ok());
  }
  const ListenSocket second = *OpenListenSocket(
      SocketAddress::Parse("127.0.0.2:0")->WithPort(taken.port()), 1);
  EXPECT_TRUE(CheckListenAddress(taken, {first.fd.get()}).ok());
  EXPECT_FALSE(CheckListenAddress(all, {first.fd.get()}).ok());
  EXPECT_TRUE(CheckListenAddress(all, {first.fd.get(), second.fd.get()}).ok());
  // What was disregarded counts again, and still listens.
  EXPECT_FALSE(OpenListenSocket(taken, 1).ok());
  EXPECT_TRUE(TcpClient::Connect(taken).has_value());
}

TEST(CheckListenAddressTest, TellsWhatElseKeepsAnAddressFromBeingBound) {
  EXPECT_EQ(GetErrorDetail(
                CheckListenAddress(*SocketAddress::Parse("192.0.2.1:0"), {}))
                .reason,
            "ADDRESS_NOT_AVAILABLE");
  EXPECT_TRUE(
      CheckListenAddress(*SocketAddress::Parse("127.0.0.1:0"), {}).ok());
}

}  // namespace
}  // namespace echod
