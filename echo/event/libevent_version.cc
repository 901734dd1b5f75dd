// SPDX-License-Identifier: Apache-2.0

#include "echo/event/libevent_version.h"

#include <event2/event.h>

namespace echod {

std::string LibeventVersion() { return event_get_version(); }

}  // namespace echod
