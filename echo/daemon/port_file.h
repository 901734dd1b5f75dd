// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_DAEMON_PORT_FILE_H_
#define ECHO_DAEMON_PORT_FILE_H_

#include <map>
#include <string>

#include "absl/status/status.h"

namespace echod {

// Where the program accepts, as host:port.
struct BoundAddresses {
  std::map<std::string, std::string> listeners;  // by listener id
  std::string admin;
};

// Writes `bound` to `path` as JSON, one line:
//   {"listeners": {"default": "127.0.0.1:41234"}, "admin": "127.0.0.1:9901"}
//
// Symbolic links are followed. A file is written beside, and put in its place
// by a rename: a reader sees all of it or the one before. A pipe, a character
// device, or what /dev/stdout and /dev/fd/N stand for, is written to, if it
// takes all of the line at once; nothing else is replaced. Never waits for a
// reader. Errors name the path and say why.
absl::Status WritePortFile(const std::string& path,
                           const BoundAddresses& bound);

}  // namespace echod

#endif  // ECHO_DAEMON_PORT_FILE_H_
