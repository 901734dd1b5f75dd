#ifndef ECHO_EVENT_SIGNAL_WATCHER_H_
#define ECHO_EVENT_SIGNAL_WATCHER_H_

#include <memory>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "echo/event/event_loop.h"

namespace echod {

// Calls back on the loop's thread whenever the process gets a signal, whichever
// thread the kernel gave it to. Belongs to the thread of its loop, which must
// outlive it; all watchers of a process share one loop.
class SignalWatcher {
 public:
  // RESOURCE_EXHAUSTED when the system has no watch left for it.
  static absl::StatusOr<std::unique_ptr<SignalWatcher>> Create(
      EventLoop& loop, int signal, absl::AnyInvocable<void()> callback);
  SignalWatcher(const SignalWatcher&) = delete;
  SignalWatcher& operator=(const SignalWatcher&) = delete;

 private:
  SignalWatcher(EventLoop& loop, int signal,
                absl::AnyInvocable<void()> callback);
  static void OnSignal(evutil_socket_t signal, short what, void* self);

  absl::AnyInvocable<void()> callback_;
  EventPtr event_;
};

}  // namespace echod

#endif  // ECHO_EVENT_SIGNAL_WATCHER_H_
