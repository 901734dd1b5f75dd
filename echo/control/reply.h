// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_CONTROL_REPLY_H_
#define ECHO_CONTROL_REPLY_H_

#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "echo/control/control_error.h"

namespace echod {

// An answer owed to a caller on another thread. Move-only. The callback runs
// exactly once: with the answer, or, if the Reply is destroyed unanswered (a
// loop stopped with the closure still in its queue), with UNAVAILABLE. So no
// caller waits forever. Used on one thread at a time; the callback runs on that
// thread, which is a loop that echoes, or the thread that asked. So it may move
// the values to another thread, and no more: it must not convert them, block,
// or take long.
template <typename T>
class Reply {
 public:
  using Callback = absl::AnyInvocable<void(absl::StatusOr<T>)>;

  explicit Reply(Callback callback) : callback_(std::move(callback)) {}
  Reply(Reply&& other) noexcept
      : callback_(std::exchange(other.callback_, nullptr)) {}
  Reply& operator=(Reply&&) = delete;
  ~Reply() {
    if (callback_) std::exchange(callback_, nullptr)(ServerStoppedError());
  }

  void operator()(absl::StatusOr<T> answer) {
    std::exchange(callback_, nullptr)(std::move(answer));
  }

 private:
  Callback callback_;
};

}  // namespace echod

#endif  // ECHO_CONTROL_REPLY_H_
