// SPDX-License-Identifier: Apache-2.0

#include "echo/event/fd_watcher.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "echo/base/descriptor_limit.h"
#include "echo/base/unique_fd.h"
#include "echo/event/event_loop.h"
#include "echo/event/read_poller.h"
#include "gtest/gtest.h"

namespace {

// The calls of epoll_wait of this process's only thread.
int polls = 0;

}  // namespace

// In place of the C library's, for this program.
extern "C" int epoll_wait(int fd, epoll_event* events, int most, int timeout) {
  ++polls;
  return static_cast<int>(
      syscall(SYS_epoll_pwait, fd, events, most, timeout, nullptr, 0));
}

namespace echod {
namespace {

constexpr std::size_t kEvents = ReadPoller::kMostEvents;
constexpr std::size_t kBatch = ReadPoller::kBatch;

// A descriptor that can be made readable, and its watcher.
class Watched final : public FdWatcher {
 public:
  Watched(EventLoop& loop, std::function<void()> called)
      : FdWatcher(UniqueFd(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC))),
        called_(std::move(called)),
        poller_(loop.read_poller()) {
    EXPECT_TRUE(Start());
  }
  ~Watched() override { Stop(); }

  void MakeReadable() { eventfd_write(fd(), 1); }
  bool Start() { return FdWatcher::Start(poller_); }
  void Stop() { FdWatcher::Stop(poller_); }
  int calls() const { return calls_; }

 private:
  void OnReadable() override {
    eventfd_t value = 0;
    eventfd_read(fd(), &value);
    ++calls_;
    // It may destroy this object.
    const std::function<void()> called = called_;
    called();
  }

  const std::function<void()> called_;
  ReadPoller& poller_;
  int calls_ = 0;
};

// How many others are watched already: with many, the poller watches by its own
// epoll instance.
class FdWatcherTest : public ::testing::TestWithParam<std::size_t> {
 protected:
  FdWatcherTest() {
    RaiseDescriptorLimit();
    for (std::size_t i = 0; i < GetParam(); ++i) {
      at_rest_.push_back(
          std::make_unique<Watched>(loop_, [] { ADD_FAILURE(); }));
    }
  }

  // Does what there is to do now, without waiting for anything.
  void Turn() { loop_.FinishDeferredFrees(); }

  const std::unique_ptr<EventLoop> owned_ = *EventLoop::Create();
  EventLoop& loop_ = *owned_;
  std::vector<std::unique_ptr<Watched>> at_rest_;
};

TEST_P(FdWatcherTest, CallsWhenItsDescriptorIsReadable) {
  Watched watched(loop_, [] {});
  Watched other(loop_, [] {});
  watched.MakeReadable();
  Turn();
  EXPECT_EQ(watched.calls(), 1);
  EXPECT_EQ(other.calls(), 0);
}

TEST_P(FdWatcherTest, DoesNotCallWhileItIsStopped) {
  Watched watched(loop_, [] {});
  watched.Stop();
  watched.Stop();
  watched.MakeReadable();
  Turn();
  EXPECT_EQ(watched.calls(), 0);
  EXPECT_TRUE(watched.Start());
  EXPECT_TRUE(watched.Start());
  Turn();
  EXPECT_EQ(watched.calls(), 1);
}

// Both are readable; whichever is called first, the other is gone by then.
TEST_P(FdWatcherTest, OneMayDestroyAnotherThatWaitsForItsCall) {
  std::unique_ptr<Watched> one;
  std::unique_ptr<Watched> two;
  int calls = 0;
  one = std::make_unique<Watched>(loop_, [&] { two.reset(), ++calls; });
  two = std::make_unique<Watched>(loop_, [&] { one.reset(), ++calls; });
  one->MakeReadable();
  two->MakeReadable();
  Turn();
  EXPECT_EQ(calls, 1);
}

TEST_P(FdWatcherTest, OneMayStopAnotherThatWaitsForItsCall) {
  std::vector<std::unique_ptr<Watched>> all;
  int calls = 0;
  for (int i = 0; i < 3; ++i) {
    all.push_back(std::make_unique<Watched>(loop_, [&] {
      ++calls;
      for (const auto& each : all) each->Stop();
    }));
    all.back()->MakeReadable();
  }
  Turn();
  EXPECT_EQ(calls, 1);
}

TEST_P(FdWatcherTest, MayDestroyItself) {
  auto watched = std::unique_ptr<Watched>();
  int calls = 0;
  watched = std::make_unique<Watched>(loop_, [&] {
    ++calls;
    watched.reset();
  });
  watched->MakeReadable();
  Turn();
  EXPECT_EQ(calls, 1);
}

// Whichever way it was watched before.
TEST_P(FdWatcherTest, StartsAgainAfterOthersCameAndWent) {
  Watched watched(loop_, [] {});
  for (int i = 0; i < 3; ++i) {
    for (const auto& each : at_rest_) each->Stop();
    watched.Stop();
    EXPECT_TRUE(watched.Start());
    for (const auto& each : at_rest_) EXPECT_TRUE(each->Start());
    watched.MakeReadable();
    Turn();
    EXPECT_EQ(watched.calls(), i + 1);
  }
}

// However many are readable, what was posted does not wait for all of them.
TEST_P(FdWatcherTest, ATurnIsBounded) {
  constexpr std::size_t kMany = kEvents + 4 * kBatch;
  std::vector<std::unique_ptr<Watched>> all;
  std::size_t calls = 0;
  std::size_t calls_before_the_closure = 0;
  for (std::size_t i = 0; i < kMany; ++i) {
    all.push_back(std::make_unique<Watched>(loop_, [&] {
      if (++calls == 1) {
        loop_.Post([&] { calls_before_the_closure = calls; });
      }
      if (calls == kMany) loop_.Stop();
    }));
    all.back()->MakeReadable();
  }
  EXPECT_TRUE(loop_.Run().ok());
  EXPECT_EQ(calls, kMany);
  EXPECT_LE(calls_before_the_closure,
            static_cast<std::size_t>(EventLoop::kMostServed));
}

// Once few are left, each is one of libevent's events: no turn needs the
// poller's own system call, which this thread counts.
TEST(ReadPollerTest, TheFewThatRemainGoBackToLibevent) {
  RaiseDescriptorLimit();
  const auto loop = *EventLoop::Create();
  std::vector<std::unique_ptr<Watched>> crowd;
  for (std::size_t i = 0; i < kEvents; ++i) {
    crowd.push_back(std::make_unique<Watched>(*loop, [] {}));
  }
  std::vector<std::unique_ptr<Watched>> few;
  for (int i = 0; i < 20; ++i) {
    few.push_back(std::make_unique<Watched>(*loop, [] {}));
  }
  const auto polls_of_a_turn = [&] {
    const int before = polls;
    for (const auto& each : few) each->MakeReadable();
    loop->FinishDeferredFrees();
    return polls - before;
  };
  const int polls_with_crowd = polls_of_a_turn();
  EXPECT_EQ(polls_of_a_turn(), polls_with_crowd);
  crowd.clear();
  EXPECT_EQ(polls_of_a_turn(), polls_with_crowd);  // and they move
  EXPECT_LT(polls_of_a_turn(), polls_with_crowd);
  for (const auto& each : few) EXPECT_EQ(each->calls(), 4);

  // Watched by libevent's events, they stop, start and end as others do.
  few.front()->Stop();
  few.back().reset();
  few.pop_back();
  polls_of_a_turn();
  EXPECT_EQ(few.front()->calls(), 4);
  EXPECT_TRUE(few.front()->Start());
  polls_of_a_turn();
  EXPECT_EQ(few.front()->calls(), 5);
  EXPECT_EQ(few.back()->calls(), 6);
}

// The watches of a batch may end while they move.
TEST(ReadPollerTest, OneThatMovesMayDestroyOthers) {
  RaiseDescriptorLimit();
  const auto loop = *EventLoop::Create();
  std::vector<std::unique_ptr<Watched>> crowd;
  for (std::size_t i = 0; i < kEvents; ++i) {
    crowd.push_back(std::make_unique<Watched>(*loop, [] {}));
  }
  std::vector<std::unique_ptr<Watched>> few(10);
  int calls = 0;
  for (auto& each : few) {
    each = std::make_unique<Watched>(*loop, [&] {
      if (++calls == 1) few.clear();
    });
    each->MakeReadable();
  }
  crowd.clear();
  loop->FinishDeferredFrees();
  EXPECT_EQ(calls, 1);
}

INSTANTIATE_TEST_SUITE_P(BesideOthersAtRest, FdWatcherTest,
                         ::testing::Values(0, kEvents - 1, kEvents));

}  // namespace
}  // namespace echod
