// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_TESTING_EVERY_TURN_H_
#define ECHO_TESTING_EVERY_TURN_H_

#include <sys/eventfd.h>

#include <utility>

#include "absl/functional/any_invocable.h"
#include "echo/base/check.h"
#include "echo/base/unique_fd.h"
#include "echo/event/event_loop.h"
#include "echo/event/libevent.h"

namespace echod {

// For tests that measure turns of a loop: a descriptor that is always readable,
// so that its callback runs in each turn. Belongs to the thread of its loop.
class EveryTurn {
 public:
  EveryTurn(EventLoop& loop, absl::AnyInvocable<void()> callback)
      : callback_(std::move(callback)),
        readable_(eventfd(1, EFD_CLOEXEC)),
        event_(event_new(loop.base(), readable_.get(), EV_READ | EV_PERSIST,
                         &EveryTurn::OnTurn, this)) {
    ECHOD_CHECK(event_add(event_.get(), nullptr) == 0);
  }
  EveryTurn(const EveryTurn&) = delete;
  EveryTurn& operator=(const EveryTurn&) = delete;

 private:
  static void OnTurn(evutil_socket_t /*fd*/, short /*what*/, void* self) {
    static_cast<EveryTurn*>(self)->callback_();
  }

  absl::AnyInvocable<void()> callback_;
  const UniqueFd readable_;
  const EventPtr event_;
};

}  // namespace echod

#endif  // ECHO_TESTING_EVERY_TURN_H_
