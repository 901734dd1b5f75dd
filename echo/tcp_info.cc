#include "echo/tcp_info.h"

// Not <netinet/tcp.h>: glibc's structure ends before the delivery rate.
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>

namespace echod {

std::optional<TcpInfo> ReadTcpInfo(int fd) {
  tcp_info kernel = {};
  socklen_t length = sizeof kernel;
  if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &kernel, &length) != 0) {
    return std::nullopt;
  }
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
