// SPDX-License-Identifier: Apache-2.0

#ifndef TESTS_BENCH_TUTORIAL_SERVER_H_
#define TESTS_BENCH_TUTORIAL_SERVER_H_

namespace echod::bench {

// What tutorials do with libevent: a bufferevent for each connection, and a
// read callback that moves what came from its input to its output, or answers
// each line with evbuffer_add_printf. Shows what echod's ways are worth.
//
// Accepts from `listen_fd`, non-blocking and borrowed. Never returns.
[[noreturn]] void RunTutorialServer(int listen_fd, bool line);

}  // namespace echod::bench

#endif  // TESTS_BENCH_TUTORIAL_SERVER_H_
