// SPDX-License-Identifier: Apache-2.0

#include "admin/service/answer_thread.h"

#include <sys/syscall.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <future>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "gtest/gtest.h"
#include "tests/support/eventually.h"
#include "tests/support/refused_system_call.h"

namespace echod {
namespace {

TEST(AnswerThreadTest, RunsTasksOfEachThreadInOrderOnItsOwnThread) {
  constexpr int kThreads = 4;
  constexpr int kTasks = 1000;
  std::vector<std::vector<int>> seen(kThreads);
  std::vector<std::thread::id> ids;
  {
    const auto answers = *AnswerThread::Start();
    std::vector<std::thread> posters;
    for (std::size_t i = 0; i < kThreads; ++i) {
      posters.emplace_back([&, i] {
        for (int j = 0; j < kTasks; ++j) {
          answers->Post([&, i, j] {
            seen[i].push_back(j);
            ids.push_back(std::this_thread::get_id());
          });
        }
      });
    }
    for (std::thread& poster : posters) poster.join();
  }
  for (const std::vector<int>& each : seen) {
    ASSERT_EQ(each.size(), static_cast<std::size_t>(kTasks));
    for (int j = 0; j < kTasks; ++j) {
      ASSERT_EQ(each[static_cast<std::size_t>(j)], j);
    }
  }
  for (const std::thread::id id : ids) {
    ASSERT_EQ(id, ids.front());
    ASSERT_NE(id, std::this_thread::get_id());
  }
}

TEST(AnswerThreadTest, StopRunsWhatWasPosted) {
  const auto answers = *AnswerThread::Start();
  std::promise<void> begun;
  std::promise<void> go_on;
  answers->Post([&begun, waiting = go_on.get_future()]() mutable {
    begun.set_value();
    waiting.wait();
  });
  begun.get_future().wait();
  int ran = 0;
  // A task may post another.
  answers->Post([&] { answers->Post([&] { ++ran; }); });
  answers->Post([&] { ++ran; });
  std::thread stopper([&] { answers->Stop(); });
  // It has stopped accepting tasks when the caller has to run its own.
  EXPECT_TRUE(testing::Eventually([&] {
    const auto runner = std::make_shared<std::atomic<std::thread::id>>();
    answers->Post([runner] { *runner = std::this_thread::get_id(); });
    return *runner == std::this_thread::get_id();
  }));
  go_on.set_value();
  stopper.join();
  EXPECT_EQ(ran, 2);
}

TEST(AnswerThreadTest, AfterStopTheCallerRunsIt) {
  const auto answers = *AnswerThread::Start();
  answers->Stop();
  answers->Stop();
  std::thread::id id;
  answers->Post([&] { id = std::this_thread::get_id(); });
  EXPECT_EQ(id, std::this_thread::get_id());
}

TEST(AnswerThreadTest, DestroysATaskOnItsThreadBeforeItWaits) {
  const auto answers = *AnswerThread::Start();
  auto destroyed = std::make_shared<std::promise<std::thread::id>>();
  auto token = std::shared_ptr<void>(nullptr, [destroyed](void*) {
    destroyed->set_value(std::this_thread::get_id());
  });
  answers->Post([token = std::move(token)] {});
  EXPECT_NE(destroyed->get_future().get(), std::this_thread::get_id());
}

TEST(AnswerThreadTest, ARefusedThreadNamesTheLimit) {
  std::thread restricted([] {
    ASSERT_TRUE(testing::RefuseSystemCall(SYS_clone3, ENOSYS));
    ASSERT_TRUE(testing::RefuseSystemCall(SYS_clone, EAGAIN));
    const auto answers = AnswerThread::Start();
    ASSERT_EQ(answers.status().code(), absl::StatusCode::kResourceExhausted);
    EXPECT_TRUE(absl::StrContains(answers.status().message(), "ulimit -u"))
        << answers.status();
  });
  restricted.join();
}

}  // namespace
}  // namespace echod
