// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_NET_TCP_INFO_H_
#define ECHO_NET_TCP_INFO_H_

#include <chrono>
#include <optional>

#include "echo/control/connection_info.h"

namespace echod {

// The kernel's figures for the connection `fd`; nothing if it has none.
std::optional<TcpInfo> ReadTcpInfo(int fd);

// Time since the peer of the connection `fd` last confirmed anything, by the
// kernel's clock; 0 if unknown.
std::chrono::milliseconds SinceLastAcknowledgement(int fd);

// Whether the connection `fd` no longer exists in the kernel: the peer has
// reset it or has not answered for too long, or both sides have closed.
bool IsBroken(int fd);

}  // namespace echod

#endif  // ECHO_NET_TCP_INFO_H_
