// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_NET_RESET_ON_CLOSE_H_
#define ECHO_NET_RESET_ON_CLOSE_H_

#include <sys/socket.h>

namespace echod {

// Closing `socket` will reset its connection, drop its unsent bytes, and leave
// no TIME_WAIT. No effect on what is no TCP socket.
inline void ResetOnClose(int socket) {
  const linger abort = {.l_onoff = 1, .l_linger = 0};
  setsockopt(socket, SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
}

}  // namespace echod

#endif  // ECHO_NET_RESET_ON_CLOSE_H_
