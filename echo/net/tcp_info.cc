// SPDX-License-Identifier: Apache-2.0

#include "echo/net/tcp_info.h"

// Not <netinet/tcp.h>: glibc's structure ends before the delivery rate.
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <chrono>
#include <cstdint>

namespace echod {
namespace {

// The kernel's states are in <netinet/tcp.h> alone.
constexpr int kTcpClose = 7;

bool Ask(int fd, tcp_info& kernel) {
  socklen_t length = sizeof kernel;
  return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &kernel, &length) == 0;
}

}  // namespace

std::chrono::milliseconds SinceLastAcknowledgement(int fd) {
  tcp_info kernel = {};
  if (!Ask(fd, kernel)) return {};
  return std::chrono::milliseconds(kernel.tcpi_last_ack_recv);
}

bool IsBroken(int fd) {
  tcp_info kernel = {};
  return Ask(fd, kernel) && kernel.tcpi_state == kTcpClose;
}

std::optional<TcpInfo> ReadTcpInfo(int fd) {
  tcp_info kernel = {};
  if (!Ask(fd, kernel)) return std::nullopt;
  TcpInfo info;
  info.rtt = absl::Microseconds(kernel.tcpi_rtt);
  info.rtt_variance = absl::Microseconds(kernel.tcpi_rttvar);
  info.retransmits = kernel.tcpi_total_retrans;
  info.congestion_window = kernel.tcpi_snd_cwnd;
  info.unacked = kernel.tcpi_unacked;
  info.delivery_rate = static_cast<std::int64_t>(kernel.tcpi_delivery_rate);
  return info;
}

}  // namespace echod
