// SPDX-License-Identifier: Apache-2.0

#include "echo/net/waiting_output.h"

#include <cerrno>

namespace echod {
namespace {

// libevent keeps what is added at once in one piece of memory, rounds that up
// to a power of two with its own 48 bytes, and frees it when the last byte is
// sent. So what is added at once just fits into 16 KiB.
constexpr std::size_t kSliceBytes = 16 * 1024 - 64;

}  // namespace

WaitingOutput::~WaitingOutput() {
  // Within a callback libevent holds on to the bufferevent, and would stop
  // watching the socket when the owner has closed it.
  if (bev_ != nullptr) bufferevent_disable(bev_.get(), EV_WRITE);
}

bool WaitingOutput::Append(absl::string_view bytes) {
  if (bev_ == nullptr) {
    bev_.reset(bufferevent_socket_new(loop_.base(), fd_, 0));
    if (bev_ == nullptr) return false;
    bufferevent_setcb(bev_.get(), nullptr, &WaitingOutput::OnWritten,
                      &WaitingOutput::OnEvent, this);
    if (evbuffer_add_cb(bufferevent_get_output(bev_.get()),
                        &WaitingOutput::OnChanged, this) == nullptr) {
      return false;
    }
  }
  while (!bytes.empty()) {
    const absl::string_view slice = bytes.substr(0, kSliceBytes);
    if (bufferevent_write(bev_.get(), slice.data(), slice.size()) != 0) {
      return false;
    }
    bytes.remove_prefix(slice.size());
  }
  // bufferevent_write does not tell when it could not watch the socket.
  return failed_ || bufferevent_enable(bev_.get(), EV_WRITE) == 0;
}

bool WaitingOutput::Resume() {
  if (!failed_) return true;
  failed_ = false;
  return bufferevent_enable(bev_.get(), EV_WRITE) == 0;
}

void WaitingOutput::SetLowWatermark(std::size_t bytes) {
  if (bev_ != nullptr) {
    bufferevent_setwatermark(bev_.get(), EV_WRITE, bytes, 0);
  }
}

void WaitingOutput::OnWritten(bufferevent* bev, void* self) {
  auto* const output = static_cast<WaitingOutput*>(self);
  // libevent holds on to it for the rest of its own function.
  if (evbuffer_get_length(bufferevent_get_output(bev)) == 0) {
    output->bev_.reset();
  }
  output->observer_.OnOutputLow();
}

void WaitingOutput::OnEvent(bufferevent* /*bev*/, short /*what*/, void* self) {
  // Nothing is read by way of the bufferevent, so this is a failed write, which
  // libevent has disabled.
  const int error = EVUTIL_SOCKET_ERROR();
  auto* const output = static_cast<WaitingOutput*>(self);
  output->failed_ = true;
  output->observer_.OnOutputFailed(error);
}

void WaitingOutput::OnChanged(evbuffer* /*output*/,
                              const evbuffer_cb_info* info, void* self) {
  if (info->n_deleted == 0) return;
  auto* const output = static_cast<WaitingOutput*>(self);
  const auto taken = static_cast<std::int64_t>(info->n_deleted);
  output->observer_.OnOutputTaken(taken);
}

}  // namespace echod
