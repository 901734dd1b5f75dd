// SPDX-License-Identifier: Apache-2.0

#include "admin/service/answer_thread.h"

#include <pthread.h>

#include <system_error>
#include <utility>

#include "echo/base/resource_error.h"

namespace echod {

absl::StatusOr<std::unique_ptr<AnswerThread>> AnswerThread::Start() {
  auto answers = std::unique_ptr<AnswerThread>(new AnswerThread());
  AnswerThread& self = *answers;
  try {
    self.thread_ = std::thread([&self] {
      pthread_setname_np(pthread_self(), "admin-answers");
      self.Run();
    });
  } catch (const std::system_error& error) {
    return ResourceError("start the admin plane's answer thread",
                         error.code().value());
  }
  return answers;
}

AnswerThread::~AnswerThread() { Stop(); }

void AnswerThread::Post(Task task) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!stopped_) {
      posted_.push_back(std::move(task));
      // The thread looks again by itself while there is anything left.
      if (posted_.size() == 1) changed_.notify_one();
      return;
    }
  }
  task();
}

void AnswerThread::Stop() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopped_ = true;
    changed_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
}

void AnswerThread::Run() {
  std::vector<Task> running;
  std::unique_lock<std::mutex> lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopped_ || !posted_.empty(); });
    if (posted_.empty()) return;
    running.swap(posted_);
    lock.unlock();
    for (Task& task : running) {
      task();
      task = nullptr;
    }
    running.clear();
    lock.lock();
  }
}

}  // namespace echod
