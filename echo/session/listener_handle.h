// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_SESSION_LISTENER_HANDLE_H_
#define ECHO_SESSION_LISTENER_HANDLE_H_

#include <cstdint>

namespace echod {

// Which listener a socket or a connection came from. Never used again: a
// listener that is created after another of its name was deleted has another
// handle, whatever of the first is still under way.
enum class ListenerHandle : std::uint64_t {};

}  // namespace echod

#endif  // ECHO_SESSION_LISTENER_HANDLE_H_
