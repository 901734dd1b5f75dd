#include "echo/event/event_loop.h"

#include <csignal>
#include <cstddef>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "echo/event/signal_watcher.h"
#include "echo/event/timer.h"
#include "gtest/gtest.h"

namespace echod {
namespace {

TEST(EventLoopTest, RunsClosuresOfEachThreadInOrderOnItsOwnThread) {
  constexpr int kThreads = 4;
  constexpr int kClosures = 1000;
  EventLoop loop;
  std::thread::id loop_thread;
  std::vector<std::vector<int>> seen(kThreads);
  std::thread runner([&] {
    loop_thread = std::this_thread::get_id();
    loop.Run();
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
  EventLoop loop;
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
    loop.Run();
  });
  runner.join();
  EXPECT_EQ(run_died_on, loop_thread);
  EXPECT_EQ(left_died_on, loop_thread);
  EXPECT_FALSE(left_ran);
}

TEST(EventLoopTest, DropsWhatIsPostedAfterItsEnd) {
  EventLoop loop;
  loop.Stop();
  loop.Run();
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
  EventLoop loop;
  bool ran = false;
  auto poster =
      std::unique_ptr<PostsAtEnd>(new PostsAtEnd{.loop = loop, .ran = &ran});
  loop.Post([&loop, poster = std::move(poster)] {
    // Two turns on, so that the destructor's closure comes before the end.
    loop.Post([&loop] { loop.Post([&loop] { loop.Stop(); }); });
  });
  loop.Run();
  EXPECT_TRUE(ran);
}

TEST(EventLoopTest, WhatAClosurePostsWaitsForTheNextTurn) {
  EventLoop loop;
  std::vector<int> order;
  loop.Post([&] {
    order.push_back(1);
    loop.Post([&] {
      order.push_back(3);
      loop.Stop();
    });
  });
  loop.Post([&] { order.push_back(2); });
  loop.Run();
  EXPECT_EQ(order, std::vector<int>({1, 2, 3}));
}

TEST(TimerTest, FiresOnce) {
  EventLoop loop;
  int fired = 0;
  Timer timer(loop, [&] { ++fired; });
  Timer end(loop, [&] { loop.Stop(); });
  timer.Arm(absl::ZeroDuration());
  end.Arm(absl::Milliseconds(20));
  EXPECT_TRUE(timer.armed());
  loop.Run();
  EXPECT_EQ(fired, 1);
  EXPECT_FALSE(timer.armed());
}

TEST(TimerTest, ArmingAgainReplacesAndDisarmingTakesBack) {
  EventLoop loop;
  int fired = 0;
  Timer later(loop, [&] { ++fired; });
  Timer never(loop, [&] { ++fired; });
  Timer end(loop, [&] { loop.Stop(); });
  later.Arm(absl::ZeroDuration());
  later.Arm(absl::InfiniteDuration());
  never.Arm(-absl::Seconds(1));
  never.Disarm();
  end.Arm(absl::Milliseconds(20));
  loop.Run();
  EXPECT_EQ(fired, 0);
}

TEST(TimerTest, MayArmItselfAgain) {
  EventLoop loop;
  int fired = 0;
  Timer* self = nullptr;
  Timer timer(loop, [&] {
    if (++fired == 3) return loop.Stop();
    self->Arm(absl::Milliseconds(1));
  });
  self = &timer;
  timer.Arm(absl::ZeroDuration());
  loop.Run();
  EXPECT_EQ(fired, 3);
}

TEST(SignalWatcherTest, CallsBackOnTheLoop) {
  EventLoop loop;
  int signals = 0;
  {
    const SignalWatcher watcher(loop, SIGUSR1, [&] {
      EXPECT_TRUE(loop.InLoopThread());
      if (++signals == 2) return loop.Stop();
      raise(SIGUSR1);
    });
    raise(SIGUSR1);
    loop.Run();
  }
  EXPECT_EQ(signals, 2);
}

}  // namespace
}  // namespace echod
