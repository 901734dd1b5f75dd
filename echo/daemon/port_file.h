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

// Writes `bound` to `path` as JSON:
//   {"listeners": {"default": "127.0.0.1:41234"}, "admin": "127.0.0.1:9901"}
// A reader sees the whole file or the one before: it is written beside, and put
// in place by a rename. Errors name the path and say why.
absl::Status WritePortFile(const std::string& path,
                           const BoundAddresses& bound);

// Removes the file of an earlier run, so that nobody takes it for this one's.
// That there is none is no error.
absl::Status RemovePortFile(const std::string& path);

}  // namespace echod

#endif  // ECHO_DAEMON_PORT_FILE_H_
