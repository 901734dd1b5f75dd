// SPDX-License-Identifier: Apache-2.0

#ifndef TESTS_BENCH_TUTORIAL_SERVER_H_
#define TESTS_BENCH_TUTORIAL_SERVER_H_

namespace echod::bench {

// A libevent server as in tutorials: one bufferevent per connection, and a read
// callback that moves input to output, or answers each line with
// evbuffer_add_printf. Shows the effect of echod's design.
//
// Accepts from `listen_fd`, which is non-blocking and borrowed. Never returns.
[[noreturn]] void RunTutorialServer(int listen_fd, bool line);

}  // namespace echod::bench

#endif  // TESTS_BENCH_TUTORIAL_SERVER_H_
