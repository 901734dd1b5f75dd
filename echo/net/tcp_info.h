// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_NET_TCP_INFO_H_
#define ECHO_NET_TCP_INFO_H_

#include <chrono>
#include <optional>

#include "echo/control/connection_info.h"

namespace echod {

// What the kernel knows of the connection `fd`; nothing if it does not say.
std::optional<TcpInfo> ReadTcpInfo(int fd);

// How long ago the peer of the connection `fd` last confirmed anything, in the
// kernel's time; 0 if the kernel does not say.
std::chrono::milliseconds SinceLastAcknowledgement(int fd);

// Whether the connection `fd` is no more, for the kernel: the peer has reset
// it, or has not answered for too long, or both sides have closed.
bool IsBroken(int fd);

}  // namespace echod

#endif  // ECHO_NET_TCP_INFO_H_
