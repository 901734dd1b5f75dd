// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_BASE_STANDARD_STREAMS_H_
#define ECHO_BASE_STANDARD_STREAMS_H_

namespace echod {

// Opens /dev/null on those of the descriptors 0, 1 and 2 that were closed when
// the process started (`2>&-`). Otherwise sockets would get these numbers, and
// clients would receive the log. Must run before anything else opens a
// descriptor, which gRPC does before main; see main.cc.
void OpenStandardStreams();

}  // namespace echod

#endif  // ECHO_BASE_STANDARD_STREAMS_H_
