// SPDX-License-Identifier: Apache-2.0

#ifndef TESTS_BENCH_EPOLL_SERVER_H_
#define TESTS_BENCH_EPOLL_SERVER_H_

namespace echod::bench {

// A bare epoll loop: level-triggered, one recv, one send. It loses no bytes,
// and has no statistics, limits, timers or directory of its connections. The
// reference for the bench.
//
// Accepts from `listen_fd`, which is non-blocking and borrowed, and distributes
// the connections to `threads` threads, including this one. With `line`,
// answers lines as echod does; otherwise returns bytes. Never returns.
[[noreturn]] void RunEpollServer(int listen_fd, bool line, int threads);

}  // namespace echod::bench

#endif  // TESTS_BENCH_EPOLL_SERVER_H_
