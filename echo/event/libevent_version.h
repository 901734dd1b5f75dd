// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_EVENT_LIBEVENT_VERSION_H_
#define ECHO_EVENT_LIBEVENT_VERSION_H_

#include <string>

namespace echod {

// The version of the libevent that is linked, such as 2.1.12-stable.
std::string LibeventVersion();

}  // namespace echod

#endif  // ECHO_EVENT_LIBEVENT_VERSION_H_
