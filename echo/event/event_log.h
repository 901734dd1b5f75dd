// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_EVENT_EVENT_LOG_H_
#define ECHO_EVENT_EVENT_LOG_H_

namespace echod {

// Sends libevent's own messages to the log, and ends the process with status 1,
// the log flushed, where libevent cannot go on. Before the first event_base.
void SendLibeventLogToLog();

}  // namespace echod

#endif  // ECHO_EVENT_EVENT_LOG_H_
