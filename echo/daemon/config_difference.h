// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_DAEMON_CONFIG_DIFFERENCE_H_
#define ECHO_DAEMON_CONFIG_DIFFERENCE_H_

#include <vector>

#include "echo/control/listener_control.h"
#include "echo/daemon/flags.h"

namespace echod {

// What to do with the listeners `now` for those of `wanted`. `earlier` is what
// the file said before: a listener that it named, and `wanted` does not, is
// deleted, and others stay.
std::vector<ListenerChange> Difference(const std::vector<ListenerInfo>& now,
                                       const DaemonConfig& wanted,
                                       const DaemonConfig& earlier);

}  // namespace echod

#endif  // ECHO_DAEMON_CONFIG_DIFFERENCE_H_
