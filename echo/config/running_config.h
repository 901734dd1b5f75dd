// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_CONFIG_RUNNING_CONFIG_H_
#define ECHO_CONFIG_RUNNING_CONFIG_H_

#include <map>
#include <string>
#include <vector>

#include "echo/control/listener_control.h"

namespace echod {

// Returns the text of a configuration file that gives these flags and
// listeners. Leaves out the flags that make no sense in one, and listeners that
// are being deleted. It is UTF-8; bytes of values that are not become
// replacement characters. Thread-safe.
std::string RunningConfigText(const std::map<std::string, std::string>& flags,
                              const std::vector<ListenerInfo>& listeners);

}  // namespace echod

#endif  // ECHO_CONFIG_RUNNING_CONFIG_H_
