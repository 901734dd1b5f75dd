// SPDX-License-Identifier: Apache-2.0

#include "echo/server/log_file.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace echod {
namespace {

constexpr int kWaitMs = 100;
constexpr mode_t kMode = S_IRUSR | S_IWUSR | S_IRGRP;  // it has addresses

absl::Status CannotWrite(absl::string_view path, absl::string_view why) {
  return absl::FailedPreconditionError(
      absl::StrCat("cannot write ", path, ": ", why));
}

}  // namespace

absl::StatusOr<LogFile> LogFile::Open(const std::string& path) {
  if (path == "-") {
    UniqueFd fd(fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3));
    if (!fd.valid()) return CannotWrite("standard output", strerror(errno));
    return LogFile(std::move(fd), false);
  }
  struct stat found = {};
  const bool is_pipe =
      stat(path.c_str(), &found) == 0 && S_ISFIFO(found.st_mode);
  // A pipe that is open for reading, too, needs no reader, and takes one that
  // comes, or comes back, without being opened anew.
  const int access = is_pipe ? O_RDWR : O_WRONLY | O_CREAT;
  UniqueFd fd(open(path.c_str(),
                   access | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
                   kMode));
  if (!fd.valid()) return CannotWrite(path, strerror(errno));
  if (fstat(fd.get(), &found) != 0) return CannotWrite(path, strerror(errno));
  if (!S_ISREG(found.st_mode) && !S_ISFIFO(found.st_mode) &&
      !S_ISCHR(found.st_mode)) {
    return CannotWrite(path, "it is neither a file nor a pipe or device");
  }
  return LogFile(std::move(fd), S_ISREG(found.st_mode));
}

bool LogFile::WasReplaced(const std::string& path) const {
  if (!is_file_) return false;
  struct stat opened = {};
  struct stat found = {};
  if (fstat(fd_.get(), &opened) != 0) return false;
  if (stat(path.c_str(), &found) != 0) return errno == ENOENT;
  return opened.st_dev != found.st_dev || opened.st_ino != found.st_ino;
}

absl::Status LogFile::Write(absl::string_view lines,
                            const std::function<bool()>& give_up) {
  const std::string whole = torn_ ? absl::StrCat("\n", lines) : "";
  absl::string_view left = torn_ ? whole : lines;
  const std::size_t size = left.size();
  absl::Status status;
  while (!left.empty() && status.ok()) {
    const ssize_t written = write(fd_.get(), left.data(), left.size());
    if (written > 0) {
      left.remove_prefix(static_cast<std::size_t>(written));
    } else if (written < 0 && errno == EAGAIN) {
      pollfd out = {.fd = fd_.get(), .events = POLLOUT, .revents = 0};
      poll(&out, 1, kWaitMs);
      if (give_up()) status = absl::CancelledError("nothing reads it");
    } else if (written == 0 || errno != EINTR) {
      status = absl::UnavailableError(written == 0 ? "it takes nothing"
                                                   : strerror(errno));
    }
  }
  if (left.size() < size) torn_ = !left.empty();
  return status;
}

}  // namespace echod
