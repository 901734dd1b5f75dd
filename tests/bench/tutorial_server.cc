// SPDX-License-Identifier: Apache-2.0

#include "tests/bench/tutorial_server.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <sys/socket.h>

#include <cstddef>
#include <cstdlib>

namespace echod::bench {
namespace {

void OnBytes(bufferevent* bev, void* /*unused*/) {
  evbuffer_add_buffer(bufferevent_get_output(bev), bufferevent_get_input(bev));
}

void OnLines(bufferevent* bev, void* /*unused*/) {
  evbuffer* const input = bufferevent_get_input(bev);
  evbuffer* const output = bufferevent_get_output(bev);
  std::size_t length = 0;
  while (char* const line =
             evbuffer_readln(input, &length, EVBUFFER_EOL_CRLF)) {
    // Tutorials use a single %s, but the load's lines contain NULs.
    evbuffer_add_printf(output, "YOU SAID ");
    evbuffer_add(output, line, length);
    evbuffer_add(output, "\n", 1);
    std::free(line);
  }
}

void OnEvent(bufferevent* bev, short /*what*/, void* /*unused*/) {
  bufferevent_free(bev);
}

struct Server {
  event_base* base;
  bool line;
};

void OnAccept(evutil_socket_t listen_fd, short /*what*/, void* server) {
  const auto& self = *static_cast<Server*>(server);
  const int fd =
      accept4(listen_fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) return;
  bufferevent* const bev =
      bufferevent_socket_new(self.base, fd, BEV_OPT_CLOSE_ON_FREE);
  bufferevent_setcb(bev, self.line ? OnLines : OnBytes, nullptr, OnEvent,
                    nullptr);
  bufferevent_enable(bev, EV_READ | EV_WRITE);
}

}  // namespace

void RunTutorialServer(int listen_fd, bool line) {
  Server server = {.base = event_base_new(), .line = line};
  event* const accepting = event_new(server.base, listen_fd,
                                     EV_READ | EV_PERSIST, OnAccept, &server);
  event_add(accepting, nullptr);
  event_base_dispatch(server.base);
  std::abort();  // not reached: there is always an event
}

}  // namespace echod::bench
