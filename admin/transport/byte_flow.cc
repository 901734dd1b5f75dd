// SPDX-License-Identifier: Apache-2.0

#include "admin/transport/byte_flow.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <utility>

#include "echo/base/check.h"

namespace echod {
namespace {

constexpr std::size_t kReadSize = 16 * 1024;

bool IsTransient(int error) { return error == EAGAIN || error == EINTR; }

}  // namespace

ByteFlow::ByteFlow(EventLoop& loop, int from, int to, Callbacks callbacks)
    : from_(from),
      to_(to),
      callbacks_(std::move(callbacks)),
      readable_(event_new(loop.base(), from, EV_READ | EV_PERSIST,
                          &ByteFlow::OnReadable, this)),
      writable_(event_new(loop.base(), to, EV_WRITE | EV_PERSIST,
                          &ByteFlow::OnWritable, this)) {
  ECHOD_CHECK(readable_ != nullptr && writable_ != nullptr);
}

bool ByteFlow::Start() {
  wait_ = Wait::kReadable;
  return event_add(readable_.get(), nullptr) == 0;
}

void ByteFlow::Resume() {
  if (!ended_ && wait_ == Wait::kNothing) Pump();
}

void ByteFlow::OnReadable(evutil_socket_t /*fd*/, short /*what*/, void* self) {
  static_cast<ByteFlow*>(self)->Read();
}

void ByteFlow::OnWritable(evutil_socket_t /*fd*/, short /*what*/, void* self) {
  static_cast<ByteFlow*>(self)->Pump();
}

void ByteFlow::Read() {
  std::array<char, kReadSize> buffer;
  const ssize_t size = recv(from_, buffer.data(), buffer.size(), 0);
  if (size < 0) {
    if (!IsTransient(errno)) EndWith(End::kBroken);
    return;
  }
  if (size == 0) {
    shutdown(to_, SHUT_WR);
    EndWith(End::kFinished);
    return;
  }
  waiting_.assign(buffer.data(), static_cast<std::size_t>(size));
  Pump();
}

void ByteFlow::Pump() {
  while (!waiting_.empty()) {
    if (cleared_ == 0) {
      const std::optional<std::size_t> may_pass = callbacks_.inspect(waiting_);
      if (!may_pass.has_value()) return EndWith(End::kStopped);
      cleared_ = *may_pass;
      if (cleared_ == 0) return WaitFor(Wait::kNothing);
    }
    const std::size_t sent = SendCleared();
    if (out_of_memory_) return EndWith(End::kBroken);
    if (sent == 0) return WaitFor(Wait::kWritable);
    waiting_.erase(0, sent);
    cleared_ -= sent;
  }
  // Idle connections hold no buffer.
  waiting_ = std::string();
  WaitFor(Wait::kReadable);
}

std::size_t ByteFlow::SendCleared() {
  // The flow in the other direction reports that the receiver is gone. Until
  // then, keep reading to notice the end of the sender's stream.
  if (gone_) return cleared_;
  const ssize_t sent = send(to_, waiting_.data(), cleared_, MSG_NOSIGNAL);
  if (sent >= 0) return static_cast<std::size_t>(sent);
  if (IsTransient(errno)) return 0;
  // The receiver is there, and would wait for what is missing.
  out_of_memory_ = errno == ENOMEM || errno == ENOBUFS;
  gone_ = !out_of_memory_;
  return cleared_;
}

void ByteFlow::WaitFor(Wait wait) {
  if (wait == wait_) return;
  if (wait_ == Wait::kReadable) event_del(readable_.get());
  if (wait_ == Wait::kWritable) event_del(writable_.get());
  wait_ = wait;
  if ((wait == Wait::kReadable && event_add(readable_.get(), nullptr) != 0) ||
      (wait == Wait::kWritable && event_add(writable_.get(), nullptr) != 0)) {
    EndWith(End::kBroken);
  }
}

void ByteFlow::EndWith(End end) {
  ended_ = true;
  event_del(readable_.get());
  event_del(writable_.get());
  // Moved out, because it may destroy the flow and must survive that.
  auto on_end = std::move(callbacks_.on_end);
  on_end(end);
}

}  // namespace echod
