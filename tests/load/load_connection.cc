#include "tests/load/load_connection.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/string_view.h"

namespace echod::load {

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
  // Each begins elsewhere in the script, so that mixed-up connections show.
  sent_ = number_ * script_.request_bytes();
  received_ = number_ * script_.response_bytes();
  last_progress_ = now;
  watches_output_ = true;
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
  epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data = {.ptr = this}};
  epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, socket_.get(), &event);
  return Outcome::kGood;
}

LoadConnection::Outcome LoadConnection::FinishConnecting(std::uint64_t now) {
  socklen_t size = sizeof errno_;
  getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &errno_, &size);
  if (errno_ != 0) {
    Close();
    return Outcome::kConnectFailed;
  }
  state_ = State::kOpen;
  last_progress_ = now;
  Watch(/*for_output=*/false);
  return Outcome::kGood;
}

void LoadConnection::Watch(bool for_output) {
  if (watches_output_ == for_output) return;
  watches_output_ = for_output;
  const std::uint32_t events = for_output ? EPOLLIN | EPOLLOUT : EPOLLIN;
  epoll_event event = {.events = events, .data = {.ptr = this}};
  epoll_ctl(epoll_fd_, EPOLL_CTL_MOD, socket_.get(), &event);
}

void LoadConnection::Begin(std::uint64_t start) {
  // After a rest the time that counts is the new request's.
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
      if (errno != EAGAIN && errno != EINTR) return Outcome::kReset;
      break;
    }
    sent += static_cast<std::size_t>(taken);
    sent_ += static_cast<std::uint64_t>(taken);
    if (static_cast<std::size_t>(taken) < part.size()) break;
  }
  Watch(/*for_output=*/sent_ < end);
  return Outcome::kGood;
}

LoadConnection::Outcome LoadConnection::Receive(
    std::vector<char>& buffer, std::uint64_t now, std::size_t& received,
    absl::FunctionRef<void(std::uint64_t start)> answered) {
  received = 0;
  const ssize_t got = recv(socket_.get(), buffer.data(), buffer.size(), 0);
  if (got < 0) {
    return errno == EAGAIN || errno == EINTR ? Outcome::kGood : Outcome::kReset;
  }
  if (got == 0) {
    return in_flight() == 0 && state_ == State::kFinishing
               ? Outcome::kEnd
               : Outcome::kClosedEarly;
  }
  const auto size = static_cast<std::size_t>(got);
  const std::uint64_t owed_until =
      (number_ + begun_) * script_.response_bytes();
  const absl::string_view expected = script_.Responses(received_, size);
  if (received_ + size > owed_until ||
      std::memcmp(buffer.data(), expected.data(), size) != 0) {
    return Outcome::kWrongBytes;
  }
  received = size;
  received_ += size;
  last_progress_ = now;
  while (answered_ < begun_ &&
         received_ >= (number_ + answered_ + 1) * script_.response_bytes()) {
    answered(starts_[answered_ % starts_.size()]);
    ++answered_;
  }
  return Outcome::kGood;
}

void LoadConnection::Finish(std::uint64_t now) {
  state_ = State::kFinishing;
  last_progress_ = now;
  shutdown(socket_.get(), SHUT_WR);
}

void LoadConnection::Close() {
  socket_.Reset();
  state_ = State::kClosed;
}

}  // namespace echod::load
