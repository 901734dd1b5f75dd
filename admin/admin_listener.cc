#include "admin/admin_listener.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace echod {
namespace {

constexpr int kBacklog = 128;

// How long to wait when there are no descriptors.
constexpr int kBackOffMs = 100;

struct AddrinfoDeleter {
  void operator()(addrinfo* info) const { freeaddrinfo(info); }
};

// A socket that listens, or -1 with errno set.
int TryListen(const addrinfo& info) {
  const int fd =
      socket(info.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  const int on = 1;
  const int off = 0;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (info.ai_family == AF_INET6) {
    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  }
  // Accepted sockets inherit it.
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (bind(fd, info.ai_addr, info.ai_addrlen) == 0 &&
      listen(fd, kBacklog) == 0) {
    return fd;
  }
  const int error = errno;
  close(fd);
  errno = error;
  return -1;
}

std::string Advice(int error) {
  switch (error) {
    case EADDRINUSE:
      return "the port is already in use; choose another with --admin_address, "
             "or port 0 to let the kernel choose";
    case EACCES:
    case EPERM:
      return "no permission; choose a port above 1023 with --admin_address";
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT:
      return "this host does not have that address; choose one that it has "
             "with --admin_address";
    default:
      return absl::StrCat(std::strerror(error),
                          "; choose another address with --admin_address");
  }
}

std::string BoundAddress(int fd, absl::string_view host) {
  sockaddr_storage storage = {};
  socklen_t length = sizeof storage;
  getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &length);
  // Both families have the port in the same place.
  const auto* const in = reinterpret_cast<const sockaddr_in*>(&storage);
  return absl::StrCat(host, ":", ntohs(in->sin_port));
}

}  // namespace

absl::StatusOr<std::unique_ptr<AdminListener>> AdminListener::Open(
    absl::string_view address) {
  const auto colon = address.rfind(':');
  if (colon == absl::string_view::npos) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", address, "' has no port; write host:port"));
  }
  const std::string port(address.substr(colon + 1));
  absl::string_view host = address.substr(0, colon);
  if (absl::ConsumePrefix(&host, "[")) absl::ConsumeSuffix(&host, "]");
  addrinfo hints = {};
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(std::string(host).c_str(), port.c_str(), &hints, &found) !=
      0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "'", address, "' is not an IP address and a port; write host:port"));
  }
  const std::unique_ptr<addrinfo, AddrinfoDeleter> owned(found);
  const int listen_fd = TryListen(*owned);
  const int error = errno;
  if (listen_fd < 0 && host == "::" &&
      (error == EAFNOSUPPORT || error == EADDRNOTAVAIL)) {
    return Open(absl::StrCat("0.0.0.0:", port));
  }
  if (listen_fd < 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("cannot serve gRPC on ", address, ": ", Advice(error)));
  }
  const int wake_up_fd = eventfd(0, EFD_CLOEXEC);
  if (wake_up_fd < 0) {
    const int reason = errno;
    close(listen_fd);
    return absl::FailedPreconditionError(absl::StrCat(
        "cannot serve gRPC on ", address, ": ", std::strerror(reason)));
  }
  return std::unique_ptr<AdminListener>(
      new AdminListener(listen_fd, wake_up_fd,
                        BoundAddress(listen_fd, address.substr(0, colon))));
}

AdminListener::AdminListener(int listen_fd, int wake_up_fd,
                             std::string bound_address)
    : listen_fd_(listen_fd),
      wake_up_fd_(wake_up_fd),
      bound_address_(std::move(bound_address)) {}

AdminListener::~AdminListener() {
  Stop();
  close(wake_up_fd_);
}

void AdminListener::Start(absl::AnyInvocable<void(int fd)> on_accept) {
  on_accept_ = std::move(on_accept);
  thread_ = std::thread([this] { Run(); });
}

void AdminListener::Stop() {
  if (thread_.joinable()) {
    eventfd_write(wake_up_fd_, 1);
    thread_.join();
  }
  if (listen_fd_ >= 0) close(std::exchange(listen_fd_, -1));
}

void AdminListener::Run() {
  bool backing_off = false;
  for (;;) {
    pollfd waits[] = {
        {.fd = wake_up_fd_, .events = POLLIN, .revents = 0},
        // A negative one is not waited for.
        {.fd = backing_off ? -1 : listen_fd_, .events = POLLIN, .revents = 0}};
    poll(waits, 2, backing_off ? kBackOffMs : -1);
    if (waits[0].revents != 0) return;
    const int fd =
        accept4(listen_fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    backing_off = fd < 0 && (errno == EMFILE || errno == ENFILE ||
                             errno == ENOBUFS || errno == ENOMEM);
    if (fd >= 0) on_accept_(fd);
  }
}

}  // namespace echod
