// SPDX-License-Identifier: Apache-2.0

#include "echo/event/fd_watcher.h"

#include <sys/eventfd.h>

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
  // What was left of the turn in which it was posted, and the one in which it
  // ran.
  EXPECT_LE(calls_before_the_closure, 2 * (kEvents + kBatch));
}

INSTANTIATE_TEST_SUITE_P(BesideOthersAtRest, FdWatcherTest,
                         ::testing::Values(0, kEvents - 1, kEvents));

}  // namespace
}  // namespace echod
