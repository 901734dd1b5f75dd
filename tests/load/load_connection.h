// SPDX-License-Identifier: Apache-2.0

#ifndef TESTS_LOAD_LOAD_CONNECTION_H_
#define TESTS_LOAD_LOAD_CONNECTION_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"
#include "echo/base/socket_address.h"
#include "echo/base/unique_fd.h"
#include "tests/load/script.h"

namespace echod::load {

// A client's connection, which sends the requests of a Script and verifies the
// answers, on one socket after another. The owner decides when to send. Times
// are nanoseconds of the owner's clock. Not thread-safe; non-blocking. The
// socket is watched edge-triggered in both directions, which saves system
// calls.
class LoadConnection {
 public:
  enum class State : std::uint8_t {
    kClosed,
    kConnecting,
    kOpen,
    kFinishing,  // FIN sent, waiting for the server's
  };
  // The result of a call.
  enum class Outcome : std::uint8_t {
    kGood,
    kEnd,  // the server has closed its side after its last answer
    kConnectFailed,
    kReset,
    kClosedEarly,
    kWrongBytes,
  };

  // `script` and `epoll_fd` outlive the connection. `number` makes connections
  // send different bytes. At most `pipeline` requests are outstanding at a
  // time.
  LoadConnection(const Script& script, int epoll_fd, std::uint64_t number,
                 int pipeline);

  State state() const { return state_; }
  // Requests sent, at least partially, without a complete answer.
  int in_flight() const { return static_cast<int>(begun_ - answered_); }
  bool MayBegin() const {
    return state_ == State::kOpen && in_flight() < pipeline_;
  }
  // On this socket.
  std::int64_t begun() const { return static_cast<std::int64_t>(begun_); }
  // When the connection last made progress.
  std::uint64_t last_progress() const { return last_progress_; }
  int error_number() const { return errno_; }  // after kConnectFailed
  // After kWrongBytes: the beginning of the wrong bytes.
  const std::string& unexpected() const { return unexpected_; }

  // Calls `visit` with the start of each request in flight.
  void ForEachInFlight(
      absl::FunctionRef<void(std::uint64_t start)> visit) const;

  // Starts to connect. Call only while closed.
  Outcome Open(const SocketAddress& server, std::uint64_t now);

  // Call when the socket is first ready for `events` after Open.
  Outcome FinishConnecting(std::uint32_t events, std::uint64_t now);

  // Queues a request, whose latency counts from `start`.
  void Begin(std::uint64_t start);

  // Sends queued requests until the kernel accepts no more. `sent` returns the
  // number of bytes.
  Outcome Flush(std::size_t& sent);

  // Call when the socket is ready for `events`. Reads available bytes through
  // `buffer` and verifies them. Calls `answered` with the start of each request
  // that has been answered completely.
  Outcome Receive(std::uint32_t events, std::vector<char>& buffer,
                  std::uint64_t now, std::size_t& received,
                  absl::FunctionRef<void(std::uint64_t start)> answered);

  // Sends a FIN. Receive returns kEnd when the server closes.
  void Finish(std::uint64_t now);

  // Closes the socket and drops outstanding requests. Can be opened again.
  void Close();

 private:
  bool IsAsExpected(absl::string_view bytes) const;

  const Script& script_;
  const int epoll_fd_;
  const std::uint64_t number_;
  const int pipeline_;

  State state_ = State::kClosed;
  int errno_ = 0;
  std::string unexpected_;
  UniqueFd socket_;
  std::uint64_t begun_ = 0;
  std::uint64_t answered_ = 0;
  std::uint64_t sent_ = 0;      // bytes
  std::uint64_t received_ = 0;  // bytes
  std::uint64_t last_progress_ = 0;
  std::vector<std::uint64_t> starts_;  // of outstanding requests, a ring buffer
};

}  // namespace echod::load

#endif  // TESTS_LOAD_LOAD_CONNECTION_H_
