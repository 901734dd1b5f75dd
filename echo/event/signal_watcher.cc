#include "echo/event/signal_watcher.h"

#include <cerrno>
#include <utility>

#include "echo/base/check.h"
#include "echo/base/resource_error.h"

namespace echod {

absl::StatusOr<std::unique_ptr<SignalWatcher>> SignalWatcher::Create(
    EventLoop& loop, int signal, absl::AnyInvocable<void()> callback) {
  auto watcher = std::unique_ptr<SignalWatcher>(
      new SignalWatcher(loop, signal, std::move(callback)));
  if (evsignal_add(watcher->event_.get(), nullptr) != 0) {
    return ResourceError("watch for signals", errno);
  }
  return watcher;
}

SignalWatcher::SignalWatcher(EventLoop& loop, int signal,
                             absl::AnyInvocable<void()> callback)
    : callback_(std::move(callback)),
      event_(
          evsignal_new(loop.base(), signal, &SignalWatcher::OnSignal, this)) {
  ECHOD_CHECK(event_ != nullptr);
}

void SignalWatcher::OnSignal(evutil_socket_t /*signal*/, short /*what*/,
                             void* self) {
  static_cast<SignalWatcher*>(self)->callback_();
}

}  // namespace echod
