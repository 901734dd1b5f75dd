// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_EVENT_LIBEVENT_H_
#define ECHO_EVENT_LIBEVENT_H_

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>

#include <memory>

// Owners of libevent's handles, and the only place that frees them. A raw
// pointer to one of these types is borrowed. All belong to the thread of their
// base.

namespace echod {

struct EventBaseDeleter {
  void operator()(event_base* base) const { event_base_free(base); }
};
struct EventDeleter {
  void operator()(event* ev) const { event_free(ev); }
};
// Discards what has not been sent. If the bufferevent owns the descriptor, it
// is closed in the next turn of the loop.
struct BuffereventDeleter {
  void operator()(bufferevent* bev) const { bufferevent_free(bev); }
};
// Closes its connections and listening sockets.
struct EvhttpDeleter {
  void operator()(evhttp* http) const { evhttp_free(http); }
};

using EventBasePtr = std::unique_ptr<event_base, EventBaseDeleter>;
using EventPtr = std::unique_ptr<event, EventDeleter>;
using BuffereventPtr = std::unique_ptr<bufferevent, BuffereventDeleter>;
using EvhttpPtr = std::unique_ptr<evhttp, EvhttpDeleter>;

// An EventLoop's base serves what is urgent (timers, signals, posted closures)
// before anything else that is ready. libevent gives new events the ordinary
// priority.
inline constexpr int kUrgentPriority = 0;
inline constexpr int kOrdinaryPriority = 1;
inline constexpr int kPriorities = 2;

}  // namespace echod

#endif  // ECHO_EVENT_LIBEVENT_H_
