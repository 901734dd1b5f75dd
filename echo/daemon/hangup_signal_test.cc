// SPDX-License-Identifier: Apache-2.0

#include "echo/daemon/hangup_signal.h"

#include <csignal>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "echo/daemon/process_end.h"
#include "echo/event/event_loop.h"
#include "gtest/gtest.h"

namespace echod {
namespace {

TEST(HangupSignalTest, ListenersAreCalledInOrder) {
  std::string calls;
  HangupSignal hangup;
  EXPECT_FALSE(hangup.has_listeners());
  hangup.Add([&] { absl::StrAppend(&calls, "first "); });
  hangup.Add([&] { absl::StrAppend(&calls, "second "); });
  EXPECT_TRUE(hangup.has_listeners());
  hangup.Notify();
  EXPECT_EQ(calls, "first second ");
}

TEST(HangupSignalTest, NohupHoldsUntilHangupsAreHandled) {
  std::signal(SIGHUP, SIG_IGN);
  ASSERT_TRUE(EndRequests::Note().ok());
  const std::unique_ptr<EventLoop> loop = *EventLoop::Create();
  int hangups = 0;
  const auto watch =
      EndRequests::Watch(*loop, {.drain = [] { ADD_FAILURE() << "drains"; },
                                 .stop = [] { ADD_FAILURE() << "stops"; },
                                 .hangup =
                                     [&] {
                                       if (++hangups == 2) return loop->Stop();
                                       std::raise(SIGHUP);
                                     }});
  ASSERT_TRUE(watch.ok()) << watch.status();
  std::raise(SIGHUP);
  loop->Post([] {
    ASSERT_TRUE(EndRequests::NoteHangups().ok());
    // All of them before the loop looks.
    for (int i = 0; i < 3; ++i) std::raise(SIGHUP);
  });
  ASSERT_TRUE(loop->Run().ok());
  EXPECT_EQ(hangups, 2);
  EXPECT_EQ(EndRequests::Count(), 0);
}

}  // namespace
}  // namespace echod
