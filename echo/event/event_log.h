// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_EVENT_EVENT_LOG_H_
#define ECHO_EVENT_EVENT_LOG_H_

namespace echod {

// Sends libevent's own messages to the log. If libevent reports a fatal error,
// flushes the log and ends the process with status 1. Call it before the first
// event_base is created.
void SendLibeventLogToLog();

}  // namespace echod

#endif  // ECHO_EVENT_EVENT_LOG_H_
