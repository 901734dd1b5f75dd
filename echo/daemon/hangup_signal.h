// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_DAEMON_HANGUP_SIGNAL_H_
#define ECHO_DAEMON_HANGUP_SIGNAL_H_

#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"

namespace echod {

// The parts of the process that reopen or reload something on SIGHUP. While
// there are none, SIGHUP starts a graceful shutdown (see EndRequests). Main
// thread only.
class HangupSignal {
 public:
  // Calls `listener` on the main loop for each SIGHUP; several that arrive in
  // short order may become one call. Listeners cannot be removed, and must not
  // add others while they are called.
  void Add(absl::AnyInvocable<void()> listener) {
    listeners_.push_back(std::move(listener));
  }

  bool has_listeners() const { return !listeners_.empty(); }

  // Calls the listeners, in the order in which they were added.
  void Notify() {
    for (auto& listener : listeners_) listener();
  }

 private:
  std::vector<absl::AnyInvocable<void()>> listeners_;
};

}  // namespace echod

#endif  // ECHO_DAEMON_HANGUP_SIGNAL_H_
