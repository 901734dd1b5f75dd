// SPDX-License-Identifier: Apache-2.0

#include "echo/net/socket_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "echo/base/unique_fd.h"

namespace echod {
namespace {

constexpr mode_t kMode = 0666;

// `path` fits: see ListenAddress.
sockaddr_un Named(const std::string& path) {
  sockaddr_un name = {};
  name.sun_family = AF_UNIX;
  std::memcpy(name.sun_path, path.data(), path.size());
  return name;
}

int TryBind(int fd, const std::string& path) {
  const sockaddr_un name = Named(path);
  const auto* const address = reinterpret_cast<const sockaddr*>(&name);
  return bind(fd, address, sizeof name) == 0 ? 0 : errno;
}

std::string DirectoryOf(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == 0 ? "/" : path.substr(0, slash);
}

// Whether `path` is a socket file to which no socket is bound.
bool IsStale(const std::string& path) {
  struct stat status = {};
  if (lstat(path.c_str(), &status) != 0 || !S_ISSOCK(status.st_mode)) {
    return false;
  }
  // A stream socket would be accepted by whoever listens. To one of another
  // type the kernel says EPROTOTYPE, or ECONNREFUSED if nothing is bound.
  const UniqueFd probe(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!probe.valid()) return false;
  const sockaddr_un name = Named(path);
  return connect(probe.get(), reinterpret_cast<const sockaddr*>(&name),
                 sizeof name) != 0 &&
         errno == ECONNREFUSED;
}

}  // namespace

SocketFile::SocketFile(SocketFile&& other) noexcept
    : path_(std::exchange(other.path_, {})),
      device_(other.device_),
      inode_(other.inode_) {}

SocketFile& SocketFile::operator=(SocketFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(device_, other.device_);
  std::swap(inode_, other.inode_);
  return *this;
}

int SocketFile::Bind(int fd, const std::string& path, SocketFile& file) {
  // The mode of the socket before it is bound is that of the file, which would
  // have another for a moment if it were changed afterwards.
  if (fchmod(fd, kMode) != 0) return errno;
  int error = TryBind(fd, path);
  if (error == EADDRINUSE) {
    // Of two processes that start at once and find the same file stale, the
    // second must not remove what the first has bound since.
    const UniqueFd directory(
        open(DirectoryOf(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory.valid()) return errno;
    if (flock(directory.get(), LOCK_EX | LOCK_NB) != 0) {
      return errno == EWOULDBLOCK ? EADDRINUSE : errno;
    }
    if (!IsStale(path)) return EADDRINUSE;
    if (unlink(path.c_str()) != 0) return errno;
    error = TryBind(fd, path);
  }
  if (error != 0) return error;
  struct stat status = {};
  if (lstat(path.c_str(), &status) != 0) {
    error = errno;
    unlink(path.c_str());
    return error;
  }
  SocketFile bound;
  bound.path_ = path;
  bound.device_ = status.st_dev;
  bound.inode_ = status.st_ino;
  file = std::move(bound);
  return 0;
}

int SocketFile::Check(const std::string& path) {
  if (faccessat(AT_FDCWD, DirectoryOf(path).c_str(), W_OK | X_OK, AT_EACCESS) !=
      0) {
    return errno;
  }
  struct stat status = {};
  if (lstat(path.c_str(), &status) != 0) return errno == ENOENT ? 0 : errno;
  return IsStale(path) ? 0 : EADDRINUSE;
}

void SocketFile::Remove() {
  const std::string path = std::exchange(path_, {});
  if (path.empty()) return;
  struct stat status = {};
  if (lstat(path.c_str(), &status) == 0 && status.st_dev == device_ &&
      status.st_ino == inode_) {
    unlink(path.c_str());
  }
}

}  // namespace echod
