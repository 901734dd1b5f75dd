// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_DAEMON_INHERITED_SOCKETS_H_
#define ECHO_DAEMON_INHERITED_SOCKETS_H_

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "echo/daemon/flags.h"
#include "echo/net/listen_socket.h"

namespace echod {

// Takes the listening sockets that the process which started this one passes by
// systemd's protocol (sd_listen_fds(3)): LISTEN_PID, LISTEN_FDS,
// LISTEN_FDNAMES. The result is by name; a name is a listener's id, `.socket`
// at its end is left out, and a single socket without a name is `default`.
// Programs that this one starts get neither the sockets nor the variables. Call
// once, before threads are started. An error is INVALID_ARGUMENT, and says what
// is wrong.
absl::StatusOr<std::map<std::string, ListenSocket>> TakeInheritedSockets();

// Makes each of the sockets a listener's: of the one with its name in `config`,
// or of another one with the settings of the flags. If the configuration says
// nowhere where to listen, there is no listener without a socket.
void AddInherited(const std::map<std::string, ListenSocket>& sockets,
                  DaemonConfig& config);

}  // namespace echod

#endif  // ECHO_DAEMON_INHERITED_SOCKETS_H_
