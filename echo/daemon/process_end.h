// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_DAEMON_PROCESS_END_H_
#define ECHO_DAEMON_PROCESS_END_H_

#include <memory>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "echo/base/unique_fd.h"
#include "echo/event/event_loop.h"
#include "echo/event/fd_watcher.h"

namespace echod {

// The exit status when somebody was cut off, also by force.
inline constexpr int kExitCutOff = 1;

// How the process is asked to end: SIGTERM, SIGINT, SIGQUIT, and SIGHUP, which
// a terminal sends when it closes, and which stays ignored under nohup. A
// handler of their own notes the signals, and the loop acts on them. After a
// second one, SIGHUP apart, the handler itself sees to it that the process ends
// soon, though the loop may be stuck.
class EndRequests final : private FdWatcher {
 public:
  struct Callbacks {
    // The first request; and each SIGHUP, since several may come at once: from
    // the shell and from the kernel.
    absl::AnyInvocable<void()> drain;
    // Each request after the first, SIGHUP apart.
    absl::AnyInvocable<void()> stop;
  };

  // Handles the signals from now on, so that none is lost. Once, at the start
  // of main. RESOURCE_EXHAUSTED when there is no descriptor for it.
  static absl::Status Note();

  // Calls back on the loop's thread for every request, those included that came
  // since Note. `loop` outlives it. RESOURCE_EXHAUSTED when the system has no
  // watch left.
  static absl::StatusOr<std::unique_ptr<EndRequests>> Watch(
      EventLoop& loop, Callbacks callbacks);
  ~EndRequests() override;

  // How many requests there were, SIGHUP apart. Thread-safe.
  static int Count();

 private:
  EndRequests(EventLoop& loop, UniqueFd wake_up, Callbacks callbacks);
  void OnReadable() override;

  EventLoop& loop_;
  Callbacks callbacks_;
  int requests_handled_ = 0;
  int hangups_handled_ = 0;
};

// From now on the process has so long to end. Then `status` is its exit status,
// whatever it is doing; 1 after a second signal. Replaces an earlier call.
// A process that was stopped meanwhile gets two seconds more. Thread-safe;
// after EndRequests::Note.
void EndByForceAfter(absl::Duration patience, int status);

}  // namespace echod

#endif  // ECHO_DAEMON_PROCESS_END_H_
