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

// The exit status when a client was cut off or the process was ended by force.
inline constexpr int kExitCutOff = 1;

// Requests to end the process: SIGTERM, SIGINT and SIGQUIT; and SIGHUP, which
// asks for more than one thing (see HangupSignal). A signal handler records
// them and the loop acts on them. On a second signal other than SIGHUP, the
// handler itself makes sure that the process ends soon, even if the loop is
// stuck.
class EndRequests final : private FdWatcher {
 public:
  struct Callbacks {
    // The first request.
    absl::AnyInvocable<void()> drain;
    // Each later request.
    absl::AnyInvocable<void()> stop;
    // SIGHUP. Several in short order may become one call.
    absl::AnyInvocable<void()> hangup;
  };

  // Installs the handlers, so that no signal is lost from now on. SIGHUP stays
  // ignored if it was, as under nohup. Call once, at the start of main.
  // RESOURCE_EXHAUSTED if no descriptor is left.
  static absl::Status Note();

  // Handles SIGHUP even if it was ignored: it does not end the process any
  // more. Main thread, after Note.
  static absl::Status NoteHangups();

  // Calls back on the loop's thread for every request, including those since
  // Note. `loop` must outlive the result. RESOURCE_EXHAUSTED if no descriptor
  // or epoll watch is left.
  static absl::StatusOr<std::unique_ptr<EndRequests>> Watch(
      EventLoop& loop, Callbacks callbacks);
  ~EndRequests() override;

  // The number of requests so far, not counting SIGHUP. Thread-safe.
  static int Count();

 private:
  EndRequests(EventLoop& loop, UniqueFd wake_up, Callbacks callbacks);
  void OnReadable() override;

  EventLoop& loop_;
  Callbacks callbacks_;
  int requests_handled_ = 0;
  int hangups_handled_ = 0;
};

// Gives the process `patience` to end. After that it exits with `status`,
// whatever it is doing, or with 1 after a second signal. Replaces an earlier
// call. A process that was stopped (SIGSTOP) when its time ran out gets two
// more seconds. Thread-safe. Call after EndRequests::Note.
void EndByForceAfter(absl::Duration patience, int status);

}  // namespace echod

#endif  // ECHO_DAEMON_PROCESS_END_H_
