// SPDX-License-Identifier: Apache-2.0

#ifndef TESTS_BENCH_EPOLL_SERVER_H_
#define TESTS_BENCH_EPOLL_SERVER_H_

namespace echod::bench {

// A bare epoll loop: level-triggered, one recv, one send, and nothing else that
// a server needs but that no byte is lost. No figures, no limits, no timers, no
// names for its connections. It is what the bench measures against.
//
// Accepts from `listen_fd`, non-blocking and borrowed, and deals the
// connections out to `threads`, this one included. With `line` it answers lines
// as echod does; else bytes. Never returns.
[[noreturn]] void RunEpollServer(int listen_fd, bool line, int threads);

}  // namespace echod::bench

#endif  // TESTS_BENCH_EPOLL_SERVER_H_
