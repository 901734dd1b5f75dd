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

// A client's connection that sends requests of a Script and checks what comes
// back. It keeps the order of things on one socket after the other; when to
// send is its owner's business. Times are nanoseconds of the owner's clock. One
// thread; non-blocking. Its socket is watched edge-triggered, for both
// directions at once: that saves a system call for each change of mind.
class LoadConnection {
 public:
  enum class State : std::uint8_t {
    kClosed,
    kConnecting,
    kOpen,
    kFinishing,  // the FIN is sent; waiting for the server's
  };
  // How the last call went.
  enum class Outcome : std::uint8_t {
    kGood,
    kEnd,  // the server has closed its side, after all it owed
    kConnectFailed,
    kReset,
    kClosedEarly,
    kWrongBytes,
  };

  // `script` and `epoll_fd` outlive it. `number` makes connections differ in
  // what they say; at most `pipeline` requests are under way at a time.
  LoadConnection(const Script& script, int epoll_fd, std::uint64_t number,
                 int pipeline);

  State state() const { return state_; }
  // Requests sent, or begun to be sent, that have no whole answer yet.
  int in_flight() const { return static_cast<int>(begun_ - answered_); }
  bool MayBegin() const {
    return state_ == State::kOpen && in_flight() < pipeline_;
  }
  // On this socket.
  std::int64_t begun() const { return static_cast<std::int64_t>(begun_); }
  // When the connection last got on.
  std::uint64_t last_progress() const { return last_progress_; }
  int error_number() const { return errno_; }  // after kConnectFailed
  // The beginning of what came, after kWrongBytes.
  const std::string& unexpected() const { return unexpected_; }

  // Calls `visit` with the start of each request in flight.
  void ForEachInFlight(
      absl::FunctionRef<void(std::uint64_t start)> visit) const;

  // Begins to connect. Only when closed.
  Outcome Open(const SocketAddress& server, std::uint64_t now);

  // The socket is ready for `events` for the first time since Open.
  Outcome FinishConnecting(std::uint32_t events, std::uint64_t now);

  // Puts a request in the queue, whose latency counts from `start`.
  void Begin(std::uint64_t start);

  // Sends what was begun, as far as the kernel takes it. Returns by `sent` how
  // many bytes that was.
  Outcome Flush(std::size_t& sent);

  // Reads what is there, through `buffer`, and checks it: the socket is ready
  // for `events`. `answered` is called with the start of each request that has
  // its whole answer.
  Outcome Receive(std::uint32_t events, std::vector<char>& buffer,
                  std::uint64_t now, std::size_t& received,
                  absl::FunctionRef<void(std::uint64_t start)> answered);

  // Sends a FIN. The end is Receive's kEnd.
  void Finish(std::uint64_t now);

  // Closes the socket, and forgets what was in flight. May be opened again.
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
  std::vector<std::uint64_t> starts_;  // of those in flight, a ring
};

}  // namespace echod::load

#endif  // TESTS_LOAD_LOAD_CONNECTION_H_
