// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_NET_WAITING_OUTPUT_H_
#define ECHO_NET_WAITING_OUTPUT_H_

#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"
#include "echo/event/event_loop.h"
#include "echo/event/libevent.h"

namespace echod {

// The bytes that a socket's kernel has not taken yet: a bufferevent, which
// sends them when it can, and is there only while there are some. Most
// connections never need one, and at rest none does. Loop thread only.
class WaitingOutput {
 public:
  // Told of what becomes of the bytes. May destroy the output, but in
  // OnOutputTaken.
  class Observer {
   public:
    // The kernel has taken `bytes` of them.
    virtual void OnOutputTaken(std::int64_t bytes) = 0;
    // No more than the low watermark is left.
    virtual void OnOutputLow() = 0;
    // A write failed with the errno `error`. Nothing more is tried until
    // Resume.
    virtual void OnOutputFailed(int error) = 0;

   protected:
    ~Observer() = default;
  };

  // The loop, the socket (connected, non-blocking; borrowed) and the observer
  // outlive it.
  WaitingOutput(EventLoop& loop, int fd, Observer& observer)
      : loop_(loop), observer_(observer), fd_(fd) {}
  ~WaitingOutput();
  WaitingOutput(const WaitingOutput&) = delete;
  WaitingOutput& operator=(const WaitingOutput&) = delete;

  // Has `bytes` wait behind those that do. False when the system is out of
  // memory or of the user's epoll watches: then no byte may be taken any more,
  // and the output is of no further use.
  [[nodiscard]] bool Append(absl::string_view bytes);

  // Goes on after OnOutputFailed; otherwise it does nothing. False as Append.
  [[nodiscard]] bool Resume();

  // OnOutputLow comes when no more than so many bytes are left. 0 at first, and
  // again whenever nothing waits.
  void SetLowWatermark(std::size_t bytes);

 private:
  static void OnWritten(bufferevent* bev, void* self);
  static void OnEvent(bufferevent* bev, short what, void* self);
  static void OnChanged(evbuffer* output, const evbuffer_cb_info* info,
                        void* self);

  BuffereventPtr bev_;
  bool failed_ = false;  // and waits for Resume
  EventLoop& loop_;
  Observer& observer_;
  const int fd_;
};

}  // namespace echod

#endif  // ECHO_NET_WAITING_OUTPUT_H_
