// SPDX-License-Identifier: Apache-2.0

#ifndef ADMIN_SERVICE_ANSWER_THREAD_H_
#define ADMIN_SERVICE_ANSWER_THREAD_H_

#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"

namespace echod {

// An executor of one thread, on which the admin plane converts the data plane's
// answers to protobuf and hands them to gRPC. A loop that echoes only posts the
// values. Tasks run in the order of the calls.
//
// The queue needs no limit of its own: each RPC that waits for an answer posts
// at most one task, and the relay limits how many RPCs there are.
class AnswerThread {
 public:
  using Task = absl::AnyInvocable<void()>;

  // RESOURCE_EXHAUSTED, with the limit to raise, when the system refuses the
  // thread.
  static absl::StatusOr<std::unique_ptr<AnswerThread>> Start();

  // Stops. Nothing may be posted any more.
  ~AnswerThread();
  AnswerThread(const AnswerThread&) = delete;
  AnswerThread& operator=(const AnswerThread&) = delete;

  // Runs `task` soon, and destroys it on the same thread. Tasks must not block.
  // After Stop, runs it before returning, on the calling thread: the answer is
  // owed all the same. Thread-safe; never blocks for long before Stop.
  void Post(Task task);

  // Runs what has been posted, and ends the thread. Not from a task; may be
  // called again, but not by two threads at the same time.
  void Stop();

 private:
  AnswerThread() = default;
  void Run();

  std::mutex mutex_;
  std::condition_variable changed_;
  // Guarded by mutex_.
  std::vector<Task> posted_;
  bool stopped_ = false;

  std::thread thread_;
};

}  // namespace echod

#endif  // ADMIN_SERVICE_ANSWER_THREAD_H_
