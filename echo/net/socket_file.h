// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_NET_SOCKET_FILE_H_
#define ECHO_NET_SOCKET_FILE_H_

#include <sys/types.h>

#include <string>

namespace echod {

// The file by which clients find a Unix socket. Removes it at the end, unless
// the path has come to name another one.
class SocketFile {
 public:
  SocketFile() = default;  // no file
  SocketFile(SocketFile&& other) noexcept;
  SocketFile& operator=(SocketFile&& other) noexcept;
  ~SocketFile() { Remove(); }

  // Binds the Unix socket `fd` to `path`. The file has the mode 0666 less the
  // umask; who may write to it may connect. A socket file that an earlier
  // process has left is replaced; one to which a socket is bound is not.
  // Returns an errno, EADDRINUSE if something is in the way, or 0 and `file`.
  static int Bind(int fd, const std::string& path, SocketFile& file);

  // The errno that Bind would return, as far as can be told, or 0. Changes
  // nothing, and whoever listens there does not notice.
  static int Check(const std::string& path);

  // From now on nobody finds the socket, which is not closed.
  void Remove();

 private:
  std::string path_;  // empty: none
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

}  // namespace echod

#endif  // ECHO_NET_SOCKET_FILE_H_
