// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_SERVER_LOG_FILE_H_
#define ECHO_SERVER_LOG_FILE_H_

#include <cstddef>
#include <functional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "echo/base/unique_fd.h"

namespace echod {

// A file, pipe, device or standard output that lines are appended to. One
// thread at a time.
class LogFile {
 public:
  // Opens `path`, "-" for standard output. A file is created if it is not
  // there. A pipe needs no reader. FAILED_PRECONDITION if it cannot be written.
  static absl::StatusOr<LogFile> Open(const std::string& path);

  // Whether `path` has another file, or none, since it was opened. False for
  // anything but a file.
  bool WasReplaced(const std::string& path) const;

  // The most bytes that a single Write should have: those of a pipe arrive in
  // one piece.
  std::size_t most_bytes() const { return is_file_ ? 64 * 1024 : 4096; }

  // Writes whole lines. While a pipe is full, waits, and asks `give_up` ten
  // times a second. CANCELLED if that says so; another error if the file takes
  // no more. If only a part was written, the next Write begins a new line.
  absl::Status Write(absl::string_view lines,
                     const std::function<bool()>& give_up);

 private:
  LogFile(UniqueFd fd, bool is_file) : fd_(std::move(fd)), is_file_(is_file) {}

  UniqueFd fd_;
  bool is_file_;
  bool torn_ = false;
};

}  // namespace echod

#endif  // ECHO_SERVER_LOG_FILE_H_
