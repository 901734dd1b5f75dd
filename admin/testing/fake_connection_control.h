// SPDX-License-Identifier: Apache-2.0

#ifndef ADMIN_TESTING_FAKE_CONNECTION_CONTROL_H_
#define ADMIN_TESTING_FAKE_CONNECTION_CONTROL_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "echo/control/connection_control.h"
#include "echo/control/connection_info.h"
#include "echo/control/control_error.h"
#include "echo/control/reply.h"

namespace echod {

// Answers immediately with what a test has set, and remembers what it was
// asked. Thread-safe where the admin plane calls it; a test sets it up before.
class FakeConnectionControl final : public ConnectionControl {
 public:
  std::map<std::uint64_t, ConnectionInfo> infos;  // by number

  // Instead of answering, keeps the Reply; the test answers, or drops it.
  bool hold_replies = false;

  std::optional<CloseMode> last_close() const {
    std::lock_guard<std::mutex> lock(mutex_);
    return last_close_;
  }
  std::vector<Reply<ConnectionInfo>> TakeHeldReplies() {
    std::lock_guard<std::mutex> lock(mutex_);
    return std::exchange(held_, {});
  }
  bool has_held_replies() const {
    std::lock_guard<std::mutex> lock(mutex_);
    return !held_.empty();
  }
  int list_calls() const {
    std::lock_guard<std::mutex> lock(mutex_);
    return list_calls_;
  }

  void ListConnections(ConnectionQuery query,
                       Reply<ConnectionParts> reply) override {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      ++list_calls_;
    }
    std::vector<ConnectionInfo> found;
    for (auto it = infos.upper_bound(query.after);
         it != infos.end() && static_cast<int>(found.size()) <= query.limit;
         ++it) {
      found.push_back(it->second);
      if (!query.with_tcp_info) found.back().tcp_info.reset();
    }
    reply(ConnectionParts{.workers = {std::move(found)},
                          .limit = static_cast<std::size_t>(query.limit),
                          .total = static_cast<std::int64_t>(infos.size())});
  }

  void GetConnection(std::uint64_t number,
                     Reply<ConnectionInfo> reply) override {
    if (hold_replies) {
      std::lock_guard<std::mutex> lock(mutex_);
      held_.push_back(std::move(reply));
      return;
    }
    const auto found = infos.find(number);
    if (found == infos.end()) {
      return reply(ControlError(absl::StatusCode::kNotFound, "not here",
                                {.reason = "CONNECTION_NOT_FOUND"}));
    }
    reply(found->second);
  }

  void CloseConnection(std::uint64_t number, CloseMode mode,
                       Reply<ConnectionInfo> reply) override {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      last_close_ = mode;
    }
    GetConnection(number, std::move(reply));
  }

 private:
  mutable std::mutex mutex_;
  std::optional<CloseMode> last_close_;
  std::vector<Reply<ConnectionInfo>> held_;
  int list_calls_ = 0;
};

}  // namespace echod

#endif  // ADMIN_TESTING_FAKE_CONNECTION_CONTROL_H_
