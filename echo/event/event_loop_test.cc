// SPDX-License-Identifier: Apache-2.0

#include "echo/event/event_loop.h"

#include <sys/eventfd.h>
#include <sys/syscall.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <functional>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "echo/base/descriptor_limit.h"
#include "echo/base/unique_fd.h"
#include "echo/event/fd_watcher.h"
#include "echo/event/timer.h"
#include "echo/testing/every_turn.h"
#include "gtest/gtest.h"
#include "tests/support/refused_system_call.h"

namespace echod {
namespace {

using testing::RefuseSystemCall;

TEST(EventLoopTest, RunsClosuresOfEachThreadInOrderOnItsOwnThread) {
  constexpr int kThreads = 4;
  constexpr int kClosures = 1000;
  const auto owned = *EventLoop::Create();
  EventLoop& loop = *owned;
  std::thread::id loop_thread;
  std::vector<std::vector<int>> seen(kThreads);
  std::thread runner([&] {
    loop_thread = std::this_thread::get_id();
    EXPECT_TRUE(loop.Run().ok());
  });
  std::vector<std::thread> posters;
  for (int i = 0; i < kThreads; ++i) {
    posters.emplace_back([&, i] {
      for (int j = 0; j < kClosures; ++j) {
        loop.Post([&, i, j] {
          EXPECT_EQ(std::this_thread::get_id(), loop_thread);
          EXPECT_TRUE(loop.InLoopThread());
          seen[static_cast<std::size_t>(i)].push_back(j);
        });
      }
    });
  }
  for (std::thread& poster : posters) poster.join();
  loop.Stop();
  runner.join();
  for (const std::vector<int>& each : seen) {
    ASSERT_EQ(each.size(), static_cast<std::size_t>(kClosures));
    for (int j = 0; j < kClosures; ++j) {
      ASSERT_EQ(each[static_cast<std::size_t>(j)], j);
    }
  }
}

// Notes on which thread it dies.
struct Tracker {
  explicit Tracker(std::thread::id& where) : died_on(where) {}
  ~Tracker() { died_on = std::this_thread::get_id(); }
  std::thread::id& died_on;
};

TEST(EventLoopTest, DestroysClosuresOnItsThreadRunOrNot) {
  const auto owned = *EventLoop::Create();
  EventLoop& loop = *owned;
  std::thread::id run_died_on;
  std::thread::id left_died_on;
  bool left_ran = false;
  loop.Post([tracker = std::make_unique<Tracker>(run_died_on)] {});
  loop.Stop();
  loop.Post([tracker = std::make_unique<Tracker>(left_died_on), &left_ran] {
    left_ran = true;
  });
  std::thread::id loop_thread;
  std::thread runner([&] {
    loop_thread = std::this_thread::get_id();
    EXPECT_TRUE(loop.Run().ok());
  });
  runner.join();
  EXPECT_EQ(run_died_on, loop_thread);
  EXPECT_EQ(left_died_on, loop_thread);
  EXPECT_FALSE(left_ran);
}

TEST(EventLoopTest, DropsWhatIsPostedAfterItsEnd) {
  const auto owned = *EventLoop::Create();
  EventLoop& loop = *owned;
  loop.Stop();
  EXPECT_TRUE(loop.Run().ok());
  bool ran = false;
  auto token = std::make_shared<int>(0);
  const std::weak_ptr<int> alive = token;
  loop.Post([&ran, token = std::move(token)] { ran = true; });
  EXPECT_TRUE(alive.expired());
  EXPECT_FALSE(ran);
}

// Posts when it is destroyed, as a dropped answer may.
struct PostsAtEnd {
  ~PostsAtEnd() {
    loop.Post([this_ran = ran] { *this_ran = true; });
  }
  EventLoop& loop;
  bool* ran;
};

TEST(EventLoopTest, AClosureMayPostFromItsDestructor) {
  const auto owned = *EventLoop::Create();
  EventLoop& loop = *owned;
  bool ran = false;
  auto poster =
      std::unique_ptr<PostsAtEnd>(new PostsAtEnd{.loop = loop, .ran = &ran});
  loop.Post([&loop, poster = std::move(poster)] {
    // Two turns on, so that the destructor's closure comes before the end.
    loop.Post([&loop] { loop.Post([&loop] { loop.Stop(); }); });
  });
  EXPECT_TRUE(loop.Run().ok());
  EXPECT_TRUE(ran);
}

TEST(EventLoopTest, WhatAClosurePostsWaitsForTheNextTurn) {
  const auto owned = *EventLoop::Create();
  EventLoop& loop = *owned;
  std::vector<int> order;
  loop.Post([&] {
    order.push_back(1);
    loop.Post([&] {
      order.push_back(3);
      loop.Stop();
    });
  });
  loop.Post([&] { order.push_back(2); });
  EXPECT_TRUE(loop.Run().ok());
  EXPECT_EQ(order, std::vector<int>({1, 2, 3}));
}

TEST(EventLoopTest, AFloodOfClosuresLeavesOthersTheirTurn) {
  const auto owned = *EventLoop::Create();
  EventLoop& loop = *owned;
  constexpr int kClosures = 5000;
  std::vector<int> order;
  for (int i = 0; i < kClosures; ++i) {
    loop.Post([&order, &loop, i] {
      order.push_back(i);
      // This one comes after all that were posted before it.
      if (i == 1) {
        loop.Post([&order, last = kClosures] { order.push_back(last); });
      }
    });
  }
  std::size_t seen = 0;
  std::size_t most = 0;
  const EveryTurn every_turn(loop, [&] {
    most = std::max(most, order.size() - seen);
    seen = order.size();
    if (seen == kClosures + 1) loop.Stop();
  });
  EXPECT_TRUE(loop.Run().ok());
  ASSERT_EQ(order.size(), static_cast<std::size_t>(kClosures + 1));
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
  // Of two turns, since either may come first in a turn.
  EXPECT_LE(most, 2 * 64u);
}

// Many descriptors that libevent itself watches, all of them always ready, as
// when thousands of connections wait to send.
// Also where each takes longer than closures may wait, as on a busy machine.
TEST(EventLoopTest, SlowClosuresLeaveDescriptorsEachSecondTurn) {
  const auto loop = *EventLoop::Create();
  int left = 30;
  int in_a_row = 0;
  int most_in_a_row = 0;
  std::function<void()> slow = [&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    most_in_a_row = std::max(most_in_a_row, ++in_a_row);
    if (--left == 0) return loop->Stop();
    loop->Post(slow);
  };
  const EveryTurn every_turn(*loop, [&] { in_a_row = 0; });
  loop->Post(slow);
  EXPECT_TRUE(loop->Run().ok());
  EXPECT_LE(most_in_a_row, 2);
}

class CrowdedLoopTest : public ::testing::Test {
 protected:
  // What comes up in one look is the more the fuller the looks before were.
  static constexpr std::size_t kMany = 4 * EventLoop::kMostServed;
  static constexpr std::int64_t kUntilAtRest = 4 * kMany;
  static constexpr int kTimes = 50;

  CrowdedLoopTest() {
    RaiseDescriptorLimit();
    for (std::size_t i = 0; i < kMany; ++i) {
      crowd_.push_back(std::make_unique<EveryTurn>(loop_, [this] {
        ++served_;
        if (on_served_) on_served_();
      }));
    }
  }

  const std::unique_ptr<EventLoop> owned_ = *EventLoop::Create();
  EventLoop& loop_ = *owned_;
  std::int64_t served_ = 0;
  std::function<void()> on_served_;
  std::vector<std::unique_ptr<EveryTurn>> crowd_;
};

TEST_F(CrowdedLoopTest, AClosureWaitsForOneTurn) {
  std::int64_t next = kUntilAtRest;
  std::int64_t longest = 0;
  int ran = 0;
  on_served_ = [&] {
    if (served_ != next) return;
    loop_.Post([&, posted = served_] {
      longest = std::max(longest, served_ - posted);
      next = served_ + kUntilAtRest;
      if (++ran == kTimes) loop_.Stop();
    });
  };
  EXPECT_TRUE(loop_.Run().ok());
  EXPECT_LE(longest, EventLoop::kMostServed);
}

TEST_F(CrowdedLoopTest, ATimerWaitsForOneTurn) {
  // libevent's clock, which moves every few milliseconds.
  const auto now = [] {
    timespec time = {};
    clock_gettime(CLOCK_MONOTONIC_COARSE, &time);
    return std::pair(time.tv_sec, time.tv_nsec);
  };
  auto armed_at = now();
  std::int64_t due = 0;  // what had been served by then; 0: not due
  std::int64_t idle_until = kUntilAtRest;
  int in_time = 0;
  int fired = 0;
  Timer timer(loop_, [&] {
    if (due == 0 || served_ - due <= EventLoop::kMostServed) ++in_time;
    idle_until = served_ + kUntilAtRest;
    if (++fired == kTimes) loop_.Stop();
  });
  on_served_ = [&] {
    if (timer.armed()) {
      // As long as a small write takes, so that the clock moves meanwhile.
      const auto end =
          std::chrono::steady_clock::now() + std::chrono::microseconds(2);
      while (std::chrono::steady_clock::now() < end) {
      }
      if (due == 0 && now() != armed_at) due = served_;
    } else if (served_ >= idle_until) {
      due = 0;
      armed_at = now();
      timer.Arm(absl::Microseconds(1));
    }
  };
  EXPECT_TRUE(loop_.Run().ok());
  // Where this process itself does not run for long, a timer is very late.
  EXPECT_GT(in_time, kTimes / 2);
}

TEST_F(CrowdedLoopTest, AnUrgentWatcherWaitsForOneTurn) {
  class Urgent final : public FdWatcher {
   public:
    Urgent(EventLoop& loop, std::function<void()> called)
        : FdWatcher(UniqueFd(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC))),
          loop_(loop),
          called_(std::move(called)) {
      EXPECT_TRUE(StartUrgent(loop.read_poller()));
    }
    ~Urgent() override { Stop(loop_.read_poller()); }
    void MakeReadable() { eventfd_write(fd(), 1); }

   private:
    void OnReadable() override {
      eventfd_t value = 0;
      eventfd_read(fd(), &value);
      called_();
    }

    EventLoop& loop_;
    const std::function<void()> called_;
  };
  std::int64_t next = kUntilAtRest;
  std::int64_t longest = 0;
  int called = 0;
  Urgent urgent(loop_, [&] {
    longest = std::max(longest, served_ - next);
    next = served_ + kUntilAtRest;
    if (++called == kTimes) loop_.Stop();
  });
  on_served_ = [&] {
    if (served_ == next) urgent.MakeReadable();
  };
  EXPECT_TRUE(loop_.Run().ok());
  EXPECT_LE(longest, EventLoop::kMostServed);
}

// Closures that post others, timers of no time, and another thread that posts
// without end: the crowd is served all the same.
TEST_F(CrowdedLoopTest, WhatIsUrgentLeavesTheCrowdItsTurns) {
  std::function<void()> again = [&] { loop_.Post([&] { again(); }); };
  again();
  Timer* self = nullptr;
  Timer timer(loop_, [&] { self->Arm(absl::ZeroDuration()); });
  self = &timer;
  timer.Arm(absl::ZeroDuration());
  std::atomic<bool> ended{false};
  std::atomic<int> waiting{0};
  std::thread poster([&] {
    while (!ended) {
      if (waiting > 10) continue;
      ++waiting;
      loop_.Post([&] { --waiting; });
    }
  });
  on_served_ = [&] {
    if (served_ == static_cast<std::int64_t>(kTimes * kMany)) {
      ended = true;
      loop_.Stop();
    }
  };
  EXPECT_TRUE(loop_.Run().ok());
  ended = true;
  poster.join();
}

// On a thread on which the system refuses a call.
void OnRestrictedThread(int refused_call, int error,
                        const std::function<void()>& body) {
  std::thread thread([&] {
    ASSERT_TRUE(RefuseSystemCall(refused_call, error));
    body();
  });
  thread.join();
}

TEST(EventLoopTest, NamesTheLimitThatKeepsItFromBeingCreated) {
  struct Case {
    int call;
    int error;
    absl::string_view limit;
  };
  for (const auto& [call, error, limit] :
       {Case{SYS_epoll_create1, EMFILE, "ulimit -n"},
        Case{SYS_eventfd2, ENFILE, "fs.file-max"},
        Case{SYS_epoll_ctl, ENOSPC, "fs.epoll.max_user_watches"}}) {
    OnRestrictedThread(call, error, [limit = limit] {
      const auto loop = EventLoop::Create();
      ASSERT_EQ(loop.status().code(), absl::StatusCode::kResourceExhausted);
      EXPECT_TRUE(absl::StrContains(loop.status().message(), limit))
          << loop.status();
    });
  }
}

TEST(EventLoopTest, RunReturnsWhatKeptItFromPolling) {
  OnRestrictedThread(SYS_epoll_wait, ENOMEM, [] {
    const auto owned = *EventLoop::Create();
    EventLoop& loop = *owned;
    EXPECT_EQ(loop.Run().code(), absl::StatusCode::kResourceExhausted);
    bool ran = false;
    loop.Post([&ran] { ran = true; });
    EXPECT_FALSE(ran);
  });
}

}  // namespace
}  // namespace echod
