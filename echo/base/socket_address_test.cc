// SPDX-License-Identifier: Apache-2.0

#include "echo/base/socket_address.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <iostream>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "echo/base/unique_fd.h"
#include "gtest/gtest.h"

namespace echod {
namespace {

TEST(SocketAddressTest, RefusesWhatStandsForManyHosts) {
  for (const char* host :
       {"224.0.0.1", "239.255.255.255", "255.255.255.255", "ff02::1"}) {
    const absl::Status status = SocketAddress::FromHost(host, 1).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << host;
    EXPECT_NE(status.message().find("many hosts"), std::string::npos);
  }
  EXPECT_TRUE(SocketAddress::FromHost("223.255.255.255", 1).ok());
  EXPECT_TRUE(SocketAddress::FromHost("240.0.0.1", 1).ok());
}

TEST(SocketAddressTest, ANulIsPartOfTheText) {
  EXPECT_FALSE(
      SocketAddress::FromHost(absl::string_view("127.0.0.1\0zz", 12), 1).ok());
}

TEST(SocketAddressTest, ReadsWhatItWrites) {
  for (const char* text :
       {"127.0.0.1:8080", "0.0.0.0:0", "[::]:8080", "[::1]:65535",
        "[2001:db8::7]:1", "[fe80::1%lo]:80"}) {
    const auto address = SocketAddress::Parse(text);
    ASSERT_TRUE(address.ok()) << text << ": " << address.status();
    EXPECT_EQ(address->ToString(), text);
    sockaddr_storage storage;
    address->ToKernel(storage);
    EXPECT_EQ(SocketAddress::FromKernel(storage), *address) << text;
  }
}

TEST(SocketAddressTest, SaysWhatIsWrong) {
  const struct {
    const char* text;
    const char* problem;
  } cases[] = {
      {"", "has no port"},
      {"8080", "write 127.0.0.1:8080, or :8080 for all"},
      {"127.0.0.1", "has no port; write 127.0.0.1:PORT"},
      {"[::1]", "has no port; write [::1]:PORT"},
      {"::1", "in brackets"},
      {"::1:8080", "in brackets"},
      {"127.0.0.1:", "is not a port"},
      {"127.0.0.1:65536", "is not a port"},
      {"127.0.0.1:-1", "is not a port"},
      {"127.0.0.1:+80", "is not a port"},
      {"127.0.0.1: 80", "is not a port"},
      {"127.0.0.1:99999999999", "is not a port"},
      {"localhost:80", "is not an IP address"},
      {":80", "is not an IP address"},
      {"127.0.0:80", "is not an IP address"},
      {"[::g]:80", "is not an IP address"},
      {"[fe80::1%nowhere]:80", "is not a network interface"},
  };
  for (const auto& [text, problem] : cases) {
    const absl::Status status = SocketAddress::Parse(text).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_NE(status.message().find(problem), std::string::npos)
        << text << ": " << status;
  }
}

TEST(SocketAddressTest, AHostHasNoBrackets) {
  EXPECT_EQ(SocketAddress::FromHost("[::1]", 80).status().message(),
            "'[::1]' has brackets, which belong before a port only; write ::1");
}

TEST(SocketAddressTest, ListensWherePeopleWriteIt) {
  for (const auto& [text, address] : {std::pair("localhost:0", "127.0.0.1:0"),
                                      {"LocalHost:80", "127.0.0.1:80"},
                                      {"localhost.:80", "127.0.0.1:80"},
                                      {"echod.localhost:80", "127.0.0.1:80"},
                                      {":0", "[::]:0"},
                                      {"*:8080", "[::]:8080"},
                                      {"[::1]:1", "[::1]:1"},
                                      {"192.0.2.1:1", "192.0.2.1:1"}}) {
    const auto parsed = SocketAddress::ParseListen(text);
    ASSERT_TRUE(parsed.ok()) << text << ": " << parsed.status();
    EXPECT_EQ(parsed->ToString(), address) << text;
  }
  for (const char* text : {"", "*", "localhost", "localhost:", "example.com:80",
                           "notlocalhost:80", "[*]x:1", "[]:80", "**:80"}) {
    EXPECT_FALSE(SocketAddress::ParseListen(text).ok()) << text;
  }
}

// Makes every socket(AF_INET, …) of this process fail from now on.
void TurnIpv4Off() {
  sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_INET, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EAFNOSUPPORT),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program = {.len = sizeof code / sizeof code[0],
                              .filter = code};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

TEST(SocketAddressTest, TheLoopbackIsIpv6WhereThereIsNoOther) {
  EXPECT_EQ(SocketAddress::Loopback(7).ToString(), "127.0.0.1:7");
  EXPECT_EXIT(
      {
        TurnIpv4Off();
        std::cerr << SocketAddress::Loopback(7).ToString();
        std::_Exit(0);
      },
      ::testing::ExitedWithCode(0), R"(\[::1\]:7)");
}

TEST(SocketAddressTest, AMappedIpv4AddressIsIpv4) {
  sockaddr_storage storage;
  SocketAddress::Parse("[::ffff:192.0.2.7]:80")->ToKernel(storage);
  EXPECT_EQ(SocketAddress::FromKernel(storage).ToString(), "192.0.2.7:80");
}

TEST(SocketAddressTest, KnowsTheUnspecifiedAddresses) {
  EXPECT_TRUE(SocketAddress::Parse("[::]:80")->is_unspecified());
  EXPECT_TRUE(SocketAddress::Parse("0.0.0.0:80")->is_unspecified());
  EXPECT_FALSE(SocketAddress::Parse("[::1]:80")->is_unspecified());
}

TEST(SocketAddressTest, WithPortChangesThePortAlone) {
  EXPECT_EQ(SocketAddress::Parse("[::1]:80")->WithPort(81).ToString(),
            "[::1]:81");
}

TEST(SocketAddressTest, APeerOfAUnixSocketHasCredentials) {
  const PeerCredentials peer = {.pid = 4, .uid = 5, .gid = 6};
  const SocketAddress address = SocketAddress::UnixPeer(peer);
  EXPECT_TRUE(address.is_unix());
  EXPECT_FALSE(address.is_ipv6());
  EXPECT_EQ(address.credentials(), peer);
  EXPECT_EQ(address.ToString(), "unix:");
  EXPECT_TRUE(address.host_bytes().empty());
  EXPECT_EQ(address.HostOnly(),
            SocketAddress::UnixPeer({.pid = 7, .uid = 5, .gid = 8}).HostOnly());
  EXPECT_NE(address.HostOnly(), SocketAddress::UnixPeer({.uid = 6}).HostOnly());
  EXPECT_FALSE(SocketAddress().credentials().has_value());
  EXPECT_EQ(SocketAddress::Parse("192.0.2.1:80")->HostOnly(),
            *SocketAddress::Parse("192.0.2.1:0"));

  int pair[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
  const UniqueFd one(pair[0]);
  const UniqueFd other(pair[1]);
  EXPECT_EQ(UnixPeerOf(one.get()).credentials()->uid, getuid());
  EXPECT_EQ(UnixPeerOf(one.get()).credentials()->pid, getpid());
  EXPECT_TRUE(LocalAddress(one.get()).is_unix());
}

}  // namespace
}  // namespace echod
