// SPDX-License-Identifier: Apache-2.0

#include "echo/net/plain_transport.h"

#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cerrno>
#include <new>
#include <utility>

#include "echo/net/reset_on_close.h"
#include "echo/net/tcp_info.h"

namespace echod {
namespace {

// libevent keeps what is added at once in one piece of memory, rounds that up
// to a power of two with its own 48 bytes, and frees it when the last byte has
// been sent. So what is added at once just fits into 16 KiB.
constexpr std::size_t kSliceBytes = 16 * 1024 - 64;

bool WouldBlock(int error) {
  // After EINTR the loop calls again, since the socket is still ready.
  return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

bool IsShortage(int error) { return error == ENOMEM || error == ENOBUFS; }

// The answer to an ioctl that writes an int; 0 if it fails.
int Ask(int fd, unsigned long request) {
  int answer = 0;
  return ioctl(fd, request, &answer) == 0 ? answer : 0;
}

}  // namespace

TransportPtr PlainTransport::In(TransportSpace& space, EventLoop& loop,
                                UniqueFd socket, Kind kind) {
  return TransportPtr(new (space.bytes)
                          PlainTransport(loop, std::move(socket), kind));
}

PlainTransport::PlainTransport(EventLoop& loop, UniqueFd socket, Kind kind)
    : FdWatcher(std::move(socket)), loop_(loop), kind_(kind) {}

PlainTransport::~PlainTransport() {
  Stop(loop_.read_poller());
  // Within its own callback libevent holds on to the bufferevent, and would
  // remove the watch of a socket that has been closed by then.
  if (output_ != nullptr) bufferevent_disable(output_.get(), EV_WRITE);
}

bool PlainTransport::StartReading() { return Start(loop_.read_poller()); }

void PlainTransport::StopReading() { Stop(loop_.read_poller()); }

void PlainTransport::OnReadable() { observer().OnReadable(); }

Transport::ReadResult PlainTransport::Read(absl::Span<char> buffer) {
  using Status = ReadResult::Status;
  const ssize_t received = recv(fd(), buffer.data(), buffer.size(), 0);
  if (received > 0) {
    return {.status = Status::kBytes,
            .bytes = static_cast<std::size_t>(received)};
  }
  if (received == 0) return {.status = Status::kEnd};
  if (WouldBlock(errno)) return {.status = Status::kWouldBlock};
  return {.status = IsShortage(errno) ? Status::kShortage : Status::kLost};
}

Transport::WriteResult PlainTransport::Write(absl::string_view bytes) {
  using Status = WriteResult::Status;
  WriteResult result;
  if (waiting_bytes_ == 0) {
    const ssize_t sent = send(fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent >= 0) {
      result.sent = sent;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    } else if (!WouldBlock(errno) && !IsShortage(errno)) {
      return {.status = Status::kLost};
    }
  }
  if (!bytes.empty()) {
    if (!Append(bytes)) return {.status = Status::kExhausted};
    waiting_bytes_ += static_cast<std::int64_t>(bytes.size());
  }
  return result;
}

bool PlainTransport::Append(absl::string_view bytes) {
  if (output_ == nullptr) {
    output_.reset(bufferevent_socket_new(loop_.base(), fd(), 0));
    if (output_ == nullptr) return false;
    bufferevent_setcb(output_.get(), nullptr, &PlainTransport::OnWritten,
                      &PlainTransport::OnEvent, this);
    if (evbuffer_add_cb(bufferevent_get_output(output_.get()),
                        &PlainTransport::OnChanged, this) == nullptr) {
      return false;
    }
  }
  while (!bytes.empty()) {
    const absl::string_view slice = bytes.substr(0, kSliceBytes);
    if (bufferevent_write(output_.get(), slice.data(), slice.size()) != 0) {
      return false;
    }
    bytes.remove_prefix(slice.size());
  }
  // bufferevent_write does not report that the socket could not be watched.
  return output_failed_ || bufferevent_enable(output_.get(), EV_WRITE) == 0;
}

bool PlainTransport::ResumeOutput() {
  if (!output_failed_) return true;
  output_failed_ = false;
  return bufferevent_enable(output_.get(), EV_WRITE) == 0;
}

void PlainTransport::SetLowWatermark(std::size_t bytes) {
  if (output_ != nullptr) {
    bufferevent_setwatermark(output_.get(), EV_WRITE, bytes, 0);
  }
}

void PlainTransport::OnWritten(bufferevent* bev, void* self) {
  auto* const transport = static_cast<PlainTransport*>(self);
  // libevent holds on to the bufferevent for the rest of its own function.
  if (evbuffer_get_length(bufferevent_get_output(bev)) == 0) {
    transport->output_.reset();
  }
  transport->observer().OnOutputLow();
}

void PlainTransport::OnEvent(bufferevent* /*bev*/, short /*what*/, void* self) {
  // Nothing is read by way of the bufferevent, so this is a failed write, which
  // libevent has disabled.
  const int error = EVUTIL_SOCKET_ERROR();
  auto* const transport = static_cast<PlainTransport*>(self);
  transport->output_failed_ = true;
  transport->observer().OnOutputFailed(IsShortage(error) ? Failure::kShortage
                                                         : Failure::kLost);
}

void PlainTransport::OnChanged(evbuffer* /*output*/,
                               const evbuffer_cb_info* info, void* self) {
  if (info->n_deleted == 0) return;
  auto* const transport = static_cast<PlainTransport*>(self);
  const auto taken = static_cast<std::int64_t>(info->n_deleted);
  transport->waiting_bytes_ -= taken;
  transport->observer().OnOutputTaken(taken);
}

void PlainTransport::CloseOutput() { shutdown(fd(), SHUT_WR); }

void PlainTransport::Abort() { ResetOnClose(fd()); }

std::int64_t PlainTransport::UnconfirmedBytes() const {
  return kind_ == Kind::kUnix ? 0 : Ask(fd(), SIOCOUTQ);
}

std::chrono::milliseconds PlainTransport::SinceLastConfirmation() const {
  return SinceLastAcknowledgement(fd());
}

std::int64_t PlainTransport::UnreadBytes() const { return Ask(fd(), FIONREAD); }

bool PlainTransport::HasInput() const {
  pollfd socket = {.fd = fd(), .events = POLLIN, .revents = 0};
  return poll(&socket, 1, 0) == 1;
}

bool PlainTransport::IsBroken() const { return echod::IsBroken(fd()); }

SocketAddress PlainTransport::LocalAddress() const {
  return echod::LocalAddress(fd());
}

std::optional<TcpInfo> PlainTransport::Info() const {
  return ReadTcpInfo(fd());
}

}  // namespace echod
