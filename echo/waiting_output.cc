#include "echo/waiting_output.h"

#include "echo/base/check.h"

namespace echod {
namespace {

// libevent keeps what is added at once in one piece of memory, rounds that up
// to a power of two with its own 48 bytes, and frees it when the last byte is
// sent. So what is added at once just fits into 16 KiB.
constexpr std::size_t kSliceBytes = 16 * 1024 - 64;

}  // namespace

void WaitingOutput::Append(absl::string_view bytes) {
  if (bev_ == nullptr) {
    bev_.reset(bufferevent_socket_new(loop_.base(), fd_, 0));
    ECHOD_CHECK(bev_ != nullptr);
    bufferevent_setcb(bev_.get(), nullptr, &WaitingOutput::OnWritten,
                      &WaitingOutput::OnEvent, this);
    evbuffer_add_cb(bufferevent_get_output(bev_.get()),
                    &WaitingOutput::OnChanged, this);
  }
  size_ += static_cast<std::int64_t>(bytes.size());
  while (!bytes.empty()) {
    const absl::string_view slice = bytes.substr(0, kSliceBytes);
    ECHOD_CHECK(bufferevent_write(bev_.get(), slice.data(), slice.size()) == 0);
    bytes.remove_prefix(slice.size());
  }
}

void WaitingOutput::SetLowWatermark(std::size_t bytes) {
  if (bev_ != nullptr) {
    bufferevent_setwatermark(bev_.get(), EV_WRITE, bytes, 0);
  }
}

void WaitingOutput::OnWritten(bufferevent* /*bev*/, void* self) {
  auto* const output = static_cast<WaitingOutput*>(self);
  // libevent holds on to it for the rest of its own function.
  if (output->size_ == 0) output->bev_.reset();
  output->observer_.OnOutputLow();
}

void WaitingOutput::OnEvent(bufferevent* /*bev*/, short /*what*/, void* self) {
  // Nothing is read by way of the bufferevent, so this is a failed write.
  static_cast<WaitingOutput*>(self)->observer_.OnOutputFailed();
}

void WaitingOutput::OnChanged(evbuffer* /*output*/,
                              const evbuffer_cb_info* info, void* self) {
  if (info->n_deleted == 0) return;
  auto* const output = static_cast<WaitingOutput*>(self);
  const auto taken = static_cast<std::int64_t>(info->n_deleted);
  output->size_ -= taken;
  output->observer_.OnOutputTaken(taken);
}

}  // namespace echod
