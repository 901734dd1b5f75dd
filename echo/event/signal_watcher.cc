#include "echo/event/signal_watcher.h"

#include <utility>

#include "echo/base/check.h"

namespace echod {

SignalWatcher::SignalWatcher(EventLoop& loop, int signal,
                             absl::AnyInvocable<void()> callback)
    : callback_(std::move(callback)),
      event_(
          evsignal_new(loop.base(), signal, &SignalWatcher::OnSignal, this)) {
  ECHOD_CHECK(event_ != nullptr);
  ECHOD_CHECK(evsignal_add(event_.get(), nullptr) == 0);
}

void SignalWatcher::OnSignal(evutil_socket_t /*signal*/, short /*what*/,
                             void* self) {
  static_cast<SignalWatcher*>(self)->callback_();
}

}  // namespace echod
