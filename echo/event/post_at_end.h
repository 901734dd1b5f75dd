// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_EVENT_POST_AT_END_H_
#define ECHO_EVENT_POST_AT_END_H_

#include <utility>

#include "echo/event/event_loop.h"

namespace echod {

// Posts a closure to a loop when it is destroyed, on whichever thread. Shared
// by the participants of a task, it reports that the last one is done, even if
// a participant's own loop has ended without running its part.
class PostAtEnd {
 public:
  // `loop` outlives it.
  PostAtEnd(EventLoop& loop, EventLoop::Closure closure)
      : loop_(loop), closure_(std::move(closure)) {}
  PostAtEnd(const PostAtEnd&) = delete;
  PostAtEnd& operator=(const PostAtEnd&) = delete;
  ~PostAtEnd() { loop_.Post(std::move(closure_)); }

 private:
  EventLoop& loop_;
  EventLoop::Closure closure_;
};

}  // namespace echod

#endif  // ECHO_EVENT_POST_AT_END_H_
