// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_DAEMON_PORT_FILE_H_
#define ECHO_DAEMON_PORT_FILE_H_

#include <map>
#include <string>

#include "absl/status/status.h"

namespace echod {

// The addresses that the program listens on, as host:port.
struct BoundAddresses {
  std::map<std::string, std::string> listeners;  // by listener id
  std::string admin;
  std::string http;  // empty: none
};

// Writes `bound` to `path` as JSON, one line:
//   {"listeners": {"default": "127.0.0.1:41234"}, "admin": "127.0.0.1:9901"}
// and "http", if there is such an address.
//
// Follows symbolic links. A regular file is replaced atomically, by a rename of
// a temporary file beside it, so readers see either the old or the new content.
// A pipe, a character device, or the target of /dev/stdout or /dev/fd/N is
// written to, if it accepts the whole line at once. Anything else is an error.
// Never waits for a reader. Errors name the path and say why.
absl::Status WritePortFile(const std::string& path,
                           const BoundAddresses& bound);

}  // namespace echod

#endif  // ECHO_DAEMON_PORT_FILE_H_
