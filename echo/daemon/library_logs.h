// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_DAEMON_LIBRARY_LOGS_H_
#define ECHO_DAEMON_LIBRARY_LOGS_H_

namespace echod {

// Sends what the libraries of both planes have to say to the log, with its
// level, escapes and bounds, rather than to standard error past it. Before
// anything else of them is called.
void SendLibraryLogsToLog();

}  // namespace echod

#endif  // ECHO_DAEMON_LIBRARY_LOGS_H_
