// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_DAEMON_LIBRARY_LOGS_H_
#define ECHO_DAEMON_LIBRARY_LOGS_H_

namespace echod {

// Routes the messages of the libraries of both planes to the log, which applies
// its level, escaping and bounds; by default they go to standard error. Call
// before any other function of these libraries.
void SendLibraryLogsToLog();

}  // namespace echod

#endif  // ECHO_DAEMON_LIBRARY_LOGS_H_
