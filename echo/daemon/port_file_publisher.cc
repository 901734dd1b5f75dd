// SPDX-License-Identifier: Apache-2.0

#include "echo/daemon/port_file_publisher.h"

#include <pthread.h>

#include <condition_variable>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "echo/base/logging.h"
#include "echo/base/resource_error.h"

namespace echod {

struct PortFilePublisher::State {
  State(Write how, absl::Duration interval)
      : write(std::move(how)),
        retry_interval(absl::ToChronoNanoseconds(interval)) {}

  // The thread's body.
  void Run();

  const Write write;
  const std::chrono::nanoseconds retry_interval;

  std::mutex mutex;
  std::condition_variable changed;
  // Guarded by the mutex.
  std::optional<BoundAddresses> next;              // to be written
  std::vector<std::shared_ptr<const void>> holds;  // released after the write
  bool stopping = false;
};

void PortFilePublisher::State::Run() {
  std::unique_lock<std::mutex> lock(mutex);
  bool is_retry = false;
  while (true) {
    changed.wait(lock, [this] { return stopping || next.has_value(); });
    if (stopping) return;
    BoundAddresses bound = *std::exchange(next, std::nullopt);
    std::vector<std::shared_ptr<const void>> released =
        std::exchange(holds, {});
    lock.unlock();
    const absl::Status written = write(bound);
    if (!written.ok() && !is_retry) LogError(written.message());
    released.clear();
    lock.lock();
    is_retry = false;
    if (written.ok()) continue;
    changed.wait_for(lock, retry_interval,
                     [this] { return stopping || next.has_value(); });
    if (next.has_value()) continue;
    next = std::move(bound);
    is_retry = true;
  }
}

absl::StatusOr<std::unique_ptr<PortFilePublisher>> PortFilePublisher::Start(
    Write write, absl::Duration retry_interval) {
  auto state = std::make_shared<State>(std::move(write), retry_interval);
  try {
    std::thread([state] {
      pthread_setname_np(pthread_self(), "port-file");
      state->Run();
    }).detach();
  } catch (const std::system_error& error) {
    return ResourceError("start the port file thread", error.code().value());
  }
  return std::unique_ptr<PortFilePublisher>(
      new PortFilePublisher(std::move(state)));
}

PortFilePublisher::PortFilePublisher(std::shared_ptr<State> state)
    : state_(std::move(state)) {}

PortFilePublisher::~PortFilePublisher() {
  const std::lock_guard<std::mutex> lock(state_->mutex);
  state_->stopping = true;
  state_->changed.notify_all();
}

void PortFilePublisher::Publish(BoundAddresses bound,
                                std::shared_ptr<const void> hold) {
  std::vector<std::shared_ptr<const void>> replaced;
  const std::lock_guard<std::mutex> lock(state_->mutex);
  replaced = std::exchange(state_->holds, {});
  state_->next = std::move(bound);
  state_->holds.push_back(std::move(hold));
  state_->changed.notify_all();
}

}  // namespace echod
