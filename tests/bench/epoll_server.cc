// SPDX-License-Identifier: Apache-2.0

#include "tests/bench/epoll_server.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace echod::bench {
namespace {

constexpr std::size_t kReadBytes = 64 * 1024;
constexpr char kPrefix[] = "YOU SAID ";

struct Connection {
  int fd = -1;
  bool at_end = false;   // the peer has closed its side
  std::string partial;   // a partial line
  std::string unsent;    // while not empty, reading stops
  std::size_t sent = 0;  // of `unsent`
};

class EpollServer {
 public:
  // With `listen_fd` -1, it receives connections from another server.
  EpollServer(int listen_fd, bool line, std::vector<int> others = {})
      : listen_fd_(listen_fd),
        line_(line),
        others_(std::move(others)),
        epoll_fd_(epoll_create1(EPOLL_CLOEXEC)),
        buffer_(kReadBytes) {
    if (listen_fd_ < 0) return;
    epoll_event event = {.events = EPOLLIN, .data = {.ptr = nullptr}};
    epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, listen_fd_, &event);
  }

  int epoll_fd() const { return epoll_fd_; }

  [[noreturn]] void Run() {
    std::array<epoll_event, 512> events;
    for (;;) {
      const int count = epoll_wait(epoll_fd_, events.data(), events.size(), -1);
      for (int i = 0; i < count; ++i) {
        auto* const connection = static_cast<Connection*>(events[i].data.ptr);
        if (connection == nullptr) {
          Accept();
        } else if ((events[i].events & EPOLLOUT) != 0) {
          SendRest(*connection);
        } else {
          Read(*connection);
        }
      }
    }
  }

 private:
  void Accept() {
    for (;;) {
      const int fd =
          accept4(listen_fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd < 0) return;
      auto connection = std::make_unique<Connection>();
      connection->fd = fd;
      // Owned by epoll from here; Close deletes it.
      epoll_event event = {.events = EPOLLIN,
                           .data = {.ptr = connection.release()}};
      // NOLINTNEXTLINE(clang-analyzer-cplusplus.NewDeleteLeaks): owned by epoll
      epoll_ctl(NextEpollFd(), EPOLL_CTL_ADD, fd, &event);
    }
  }

  // Each thread in turn.
  int NextEpollFd() {
    next_ = (next_ + 1) % (others_.size() + 1);
    return next_ == 0 ? epoll_fd_ : others_[next_ - 1];
  }

  void Read(Connection& connection) {
    const ssize_t got = recv(connection.fd, buffer_.data(), buffer_.size(), 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) {
      if (got == 0 && !connection.partial.empty()) {
        answers_.assign(kPrefix).append(connection.partial).push_back('\n');
        connection.at_end = true;
        connection.partial.clear();
        Send(connection, answers_.data(), answers_.size());
        if (!connection.unsent.empty()) return;
      }
      Close(connection);
      return;
    }
    const auto size = static_cast<std::size_t>(got);
    if (!line_) {
      Send(connection, buffer_.data(), size);
      return;
    }
    AnswerLines(connection, size);
    if (!answers_.empty()) Send(connection, answers_.data(), answers_.size());
  }

  void AnswerLines(Connection& connection, std::size_t size) {
    answers_.clear();
    const char* at = buffer_.data();
    const char* const end = at + size;
    while (at < end) {
      const auto left = static_cast<std::size_t>(end - at);
      const auto* const line_end =
          static_cast<const char*>(std::memchr(at, '\n', left));
      if (line_end == nullptr) {
        connection.partial.append(at, left);
        return;
      }
      answers_.append(kPrefix, sizeof kPrefix - 1);
      if (!connection.partial.empty()) {
        answers_ += connection.partial;
        connection.partial.clear();
      }
      std::size_t length = static_cast<std::size_t>(line_end - at);
      if (length > 0 && at[length - 1] == '\r') --length;
      answers_.append(at, length);
      answers_.push_back('\n');
      at = line_end + 1;
    }
  }

  void Send(Connection& connection, const char* bytes, std::size_t size) {
    const ssize_t taken = send(connection.fd, bytes, size, MSG_NOSIGNAL);
    if (taken < 0 && errno != EAGAIN && errno != EINTR) {
      Close(connection);
      return;
    }
    const std::size_t sent = taken > 0 ? static_cast<std::size_t>(taken) : 0;
    if (sent == size) return;
    connection.unsent.assign(bytes + sent, size - sent);
    connection.sent = 0;
    Watch(connection, EPOLLOUT);
  }

  void SendRest(Connection& connection) {
    const ssize_t taken =
        send(connection.fd, connection.unsent.data() + connection.sent,
             connection.unsent.size() - connection.sent, MSG_NOSIGNAL);
    if (taken < 0) {
      if (errno != EAGAIN && errno != EINTR) Close(connection);
      return;
    }
    connection.sent += static_cast<std::size_t>(taken);
    if (connection.sent < connection.unsent.size()) return;
    std::string().swap(connection.unsent);
    if (connection.at_end) {
      Close(connection);
      return;
    }
    Watch(connection, EPOLLIN);
  }

  void Watch(Connection& connection, unsigned events) const {
    epoll_event event = {.events = events, .data = {.ptr = &connection}};
    epoll_ctl(epoll_fd_, EPOLL_CTL_MOD, connection.fd, &event);
  }

  static void Close(Connection& connection) {
    close(connection.fd);
    delete &connection;
  }

  const int listen_fd_;
  const bool line_;
  const std::vector<int> others_;  // epoll descriptors of the other threads
  std::size_t next_ = 0;
  const int epoll_fd_;
  std::vector<char> buffer_;
  std::string answers_;
};

}  // namespace

void RunEpollServer(int listen_fd, bool line, int threads) {
  std::vector<int> others;
  std::vector<std::thread> running;
  for (int i = 1; i < threads; ++i) {
    auto* const server = new EpollServer(-1, line);  // never destroyed
    others.push_back(server->epoll_fd());
    running.emplace_back([server] { server->Run(); });
  }
  EpollServer(listen_fd, line, std::move(others)).Run();
}

}  // namespace echod::bench
