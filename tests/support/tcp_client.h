// SPDX-License-Identifier: Apache-2.0

#ifndef TESTS_SUPPORT_TCP_CLIENT_H_
#define TESTS_SUPPORT_TCP_CLIENT_H_

#include <cstddef>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "echo/base/socket_address.h"
#include "echo/base/unique_fd.h"

namespace echod::testing {

// A blocking TCP client that gives up after a while, so that a test fails
// rather than hangs. One thread reads and one may write.
class TcpClient {
 public:
  struct Options {
    int receive_buffer = 0;     // SO_RCVBUF in bytes; 0: the kernel's choice
    int send_buffer = 0;        // SO_SNDBUF
    int max_segment = 0;        // TCP_MAXSEG; 0: the kernel's choice
    SocketAddress source = {};  // where from; 0.0.0.0:0: the kernel's choice
    absl::Duration timeout = absl::Seconds(20);  // of each call that waits
  };

  // How the server's side of the conversation ended.
  enum class End { kEof, kReset, kTimeout };

  // Nothing when the server refuses.
  static std::optional<TcpClient> Connect(const SocketAddress& server,
                                          const Options& options);
  static std::optional<TcpClient> Connect(const SocketAddress& server) {
    return Connect(server, Options());
  }

  // False when the connection broke, or the time was up.
  bool Send(absl::string_view bytes);
  // Sends a few bytes, of which the last is urgent data.
  bool SendUrgent(absl::string_view bytes);

  // Sends what the kernel takes without waiting, up to all of it.
  std::size_t SendSome(absl::string_view bytes);

  // Exactly so many bytes, or fewer when the server ends before.
  std::string Read(std::size_t size);

  // All that comes until the end, which `end` tells.
  std::string ReadToEnd(End* end = nullptr);

  // The end comes without another byte.
  End WaitForEnd();

  void FinishSending();  // a FIN; reading goes on
  void Reset();          // closes with a reset
  SocketAddress local() const { return LocalAddress(fd_.get()); }
  int fd() const { return fd_.get(); }

 private:
  explicit TcpClient(UniqueFd fd) : fd_(std::move(fd)) {}

  UniqueFd fd_;
};

}  // namespace echod::testing

#endif  // TESTS_SUPPORT_TCP_CLIENT_H_
