// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_SERVER_ACCESS_RECORD_H_
#define ECHO_SERVER_ACCESS_RECORD_H_

#include <string>

#include "echo/control/session_event.h"

namespace echod {

// The event as one JSON object, in one line with its newline: `time`, `event`
// (`opened` or `closed`), `reason` of a closed connection, and the fields of
// `Connection` in admin.proto, by their names there. Thread-safe.
std::string AccessRecord(const SessionEvent& event);

}  // namespace echod

#endif  // ECHO_SERVER_ACCESS_RECORD_H_
