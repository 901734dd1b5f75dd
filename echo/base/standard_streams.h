// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_BASE_STANDARD_STREAMS_H_
#define ECHO_BASE_STANDARD_STREAMS_H_

namespace echod {

// Opens those of the descriptors 0, 1 and 2 that the process was started
// without (`2>&-`), on /dev/null. Otherwise the next sockets would get these
// numbers, and clients the log. Before anything else opens a descriptor, which
// gRPC does before main: see main.cc.
void OpenStandardStreams();

}  // namespace echod

#endif  // ECHO_BASE_STANDARD_STREAMS_H_
