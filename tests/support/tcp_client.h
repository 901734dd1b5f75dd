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

// A blocking TCP client with a timeout, so that tests fail instead of hanging.
// One thread can read while another writes.
class TcpClient {
 public:
  struct Options {
    int receive_buffer = 0;     // SO_RCVBUF in bytes; 0: the kernel's choice
    int send_buffer = 0;        // SO_SNDBUF
    int max_segment = 0;        // TCP_MAXSEG; 0: the kernel's choice
    SocketAddress source = {};  // local address; 0.0.0.0:0: the kernel's choice
    absl::Duration timeout = absl::Seconds(20);  // of each blocking call
  };

  // How the server ended the connection.
  enum class End { kEof, kReset, kTimeout };

  // nullopt if the server refuses the connection.
  static std::optional<TcpClient> Connect(const SocketAddress& server,
                                          const Options& options);
  static std::optional<TcpClient> Connect(const SocketAddress& server) {
    return Connect(server, Options());
  }

  // The same to a Unix socket, which behaves alike.
  static std::optional<TcpClient> ConnectTo(const std::string& path);

  // False if the connection failed or the timeout expired.
  bool Send(absl::string_view bytes);
  // Sends `bytes`, the last as urgent data.
  bool SendUrgent(absl::string_view bytes);

  // Sends as much as the kernel accepts without blocking. Returns how much.
  std::size_t SendSome(absl::string_view bytes);

  // Reads exactly `size` bytes, or fewer if the server closes before.
  std::string Read(std::size_t size);

  // Reads everything until the connection ends. `end` returns how.
  std::string ReadToEnd(End* end = nullptr);

  // Waits for the end, which must come without further bytes.
  End WaitForEnd();

  void FinishSending();  // half-closes with a FIN
  void Reset();          // closes with a reset
  SocketAddress local() const { return LocalAddress(fd_.get()); }
  int fd() const { return fd_.get(); }

 private:
  explicit TcpClient(UniqueFd fd) : fd_(std::move(fd)) {}

  UniqueFd fd_;
};

}  // namespace echod::testing

#endif  // TESTS_SUPPORT_TCP_CLIENT_H_
