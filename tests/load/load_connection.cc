// SPDX-License-Identifier: Apache-2.0

#include "tests/load/load_connection.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>

#include "absl/strings/string_view.h"

namespace echod::load {
namespace {

constexpr std::size_t kShownBytes = 60;  // of unexpected bytes

}  // namespace

LoadConnection::LoadConnection(const Script& script, int epoll_fd,
                               std::uint64_t number, int pipeline)
    : script_(script),
      epoll_fd_(epoll_fd),
      number_(number),
      pipeline_(pipeline),
      starts_(static_cast<std::size_t>(pipeline)) {}

LoadConnection::Outcome LoadConnection::Open(const SocketAddress& server,
                                             std::uint64_t now) {
  begun_ = answered_ = 0;
  // Each starts elsewhere in the script, so that mixed-up connections are
  // detected.
  sent_ = number_ * script_.request_bytes();
  received_ = number_ * script_.response_bytes();
  last_progress_ = now;
  socket_.Reset(socket(server.is_ipv6() ? AF_INET6 : AF_INET,
                       SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  sockaddr_storage storage;
  const socklen_t length = server.ToKernel(storage);
  const int on = 1;
  if (!socket_.valid() ||
      setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) !=
          0 ||
      (connect(socket_.get(), reinterpret_cast<sockaddr*>(&storage), length) !=
           0 &&
       errno != EINPROGRESS)) {
    errno_ = errno;
    Close();
    return Outcome::kConnectFailed;
  }
  state_ = State::kConnecting;
  epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                       .data = {.ptr = this}};
  epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, socket_.get(), &event);
  return Outcome::kGood;
}

LoadConnection::Outcome LoadConnection::FinishConnecting(std::uint32_t events,
                                                         std::uint64_t now) {
  if ((events & (EPOLLERR | EPOLLHUP)) != 0) {
    socklen_t size = sizeof errno_;
    getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &errno_, &size);
    Close();
    return Outcome::kConnectFailed;
  }
  state_ = State::kOpen;
  last_progress_ = now;
  return Outcome::kGood;
}

void LoadConnection::Begin(std::uint64_t start) {
  // After an idle period, progress counts from the new request.
  if (in_flight() == 0) last_progress_ = start;
  starts_[begun_ % starts_.size()] = start;
  ++begun_;
}

LoadConnection::Outcome LoadConnection::Flush(std::size_t& sent) {
  sent = 0;
  const std::uint64_t end = (number_ + begun_) * script_.request_bytes();
  while (sent_ < end) {
    const absl::string_view part = script_.Requests(sent_, end - sent_);
    const ssize_t taken =
        send(socket_.get(), part.data(), part.size(), MSG_NOSIGNAL);
    if (taken < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN) return Outcome::kReset;
      break;
    }
    sent += static_cast<std::size_t>(taken);
    sent_ += static_cast<std::uint64_t>(taken);
    if (static_cast<std::size_t>(taken) < part.size()) break;
  }
  return Outcome::kGood;
}

LoadConnection::Outcome LoadConnection::Receive(
    std::uint32_t events, std::vector<char>& buffer, std::uint64_t now,
    std::size_t& received,
    absl::FunctionRef<void(std::uint64_t start)> answered) {
  received = 0;
  // A short read has emptied the socket, but a FIN that has already arrived
  // would not trigger another event.
  const bool to_the_end = (events & EPOLLRDHUP) != 0;
  for (;;) {
    const ssize_t got = recv(socket_.get(), buffer.data(), buffer.size(), 0);
    if (got < 0) {
      if (errno == EINTR) continue;
      return errno == EAGAIN ? Outcome::kGood : Outcome::kReset;
    }
    if (got == 0) {
      return in_flight() == 0 && state_ == State::kFinishing
                 ? Outcome::kEnd
                 : Outcome::kClosedEarly;
    }
    const absl::string_view bytes(buffer.data(), static_cast<std::size_t>(got));
    if (!IsAsExpected(bytes)) {
      unexpected_ = std::string(bytes.substr(0, kShownBytes));
      return Outcome::kWrongBytes;
    }
    received += bytes.size();
    received_ += bytes.size();
    last_progress_ = now;
    while (answered_ < begun_ &&
           received_ >= (number_ + answered_ + 1) * script_.response_bytes()) {
      answered(starts_[answered_ % starts_.size()]);
      ++answered_;
    }
    if (bytes.size() < buffer.size() && !to_the_end) return Outcome::kGood;
  }
}

bool LoadConnection::IsAsExpected(absl::string_view bytes) const {
  const std::uint64_t owed_until =
      (number_ + begun_) * script_.response_bytes();
  return received_ + bytes.size() <= owed_until &&
         script_.Responses(received_, bytes.size()) == bytes;
}

void LoadConnection::Finish(std::uint64_t now) {
  state_ = State::kFinishing;
  last_progress_ = now;
  shutdown(socket_.get(), SHUT_WR);
}

void LoadConnection::Close() {
  socket_.Reset();
  state_ = State::kClosed;
  begun_ = answered_ = 0;
}

void LoadConnection::ForEachInFlight(
    absl::FunctionRef<void(std::uint64_t start)> visit) const {
  for (std::uint64_t i = answered_; i < begun_; ++i) {
    visit(starts_[i % starts_.size()]);
  }
}

}  // namespace echod::load
