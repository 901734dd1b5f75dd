// SPDX-License-Identifier: Apache-2.0

#ifndef ADMIN_TESTING_FAKE_SERVER_CONTROL_H_
#define ADMIN_TESTING_FAKE_SERVER_CONTROL_H_

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "echo/control/control_error.h"
#include "echo/control/reply.h"
#include "echo/control/server_control.h"

namespace echod {

// A data plane that does not exist: it answers what a test has set, at once,
// and remembers what it was asked. Thread-safe where the admin plane calls it;
// a test sets it up before.
class FakeServerControl final : public ServerControl {
 public:
  ServerInfo server;
  Stats stats;
  std::map<std::string, ListenerInfo> listeners;
  std::map<std::uint64_t, ConnectionInfo> connections;
  absl::Status update_error;  // what UpdateListener answers, unless OK

  // Instead of answering, keeps the Reply; the test answers, or drops it.
  bool hold_replies = false;

  std::optional<ListenerUpdate> last_update() const {
    std::lock_guard<std::mutex> lock(mutex_);
    return last_update_;
  }
  std::optional<DrainOptions> last_drain() const {
    std::lock_guard<std::mutex> lock(mutex_);
    return last_drain_;
  }
  std::optional<CloseMode> last_close() const {
    std::lock_guard<std::mutex> lock(mutex_);
    return last_close_;
  }
  std::vector<Reply<ConnectionInfo>> TakeHeldReplies() {
    std::lock_guard<std::mutex> lock(mutex_);
    return std::exchange(held_, {});
  }
  int list_calls() const {
    std::lock_guard<std::mutex> lock(mutex_);
    return list_calls_;
  }
  bool has_held_replies() const {
    std::lock_guard<std::mutex> lock(mutex_);
    return !held_.empty();
  }

  ServerInfo GetServer() const override { return server; }
  Stats GetStats() const override { return stats; }

  std::vector<ListenerInfo> ListListeners() const override {
    std::vector<ListenerInfo> infos;
    for (const auto& [id, info] : listeners) infos.push_back(info);
    return infos;
  }

  absl::StatusOr<ListenerInfo> GetListener(
      const std::string& id) const override {
    const auto found = listeners.find(id);
    if (found == listeners.end()) return NotFound("LISTENER_NOT_FOUND");
    return found->second;
  }

  void UpdateListener(ListenerUpdate update,
                      Reply<ListenerInfo> reply) override {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      last_update_ = update;
    }
    if (!update_error.ok()) return reply(update_error);
    reply(GetListener(update.id));
  }

  void ListConnections(ConnectionQuery query,
                       Reply<ConnectionPage> reply) override {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      ++list_calls_;
    }
    ConnectionPage page;
    page.total = static_cast<std::int64_t>(connections.size());
    for (auto it = connections.upper_bound(query.after);
         it != connections.end(); ++it) {
      if (static_cast<int>(page.connections.size()) == query.limit) {
        page.more = true;
        break;
      }
      page.connections.push_back(it->second);
      if (!query.with_tcp_info) page.connections.back().tcp_info.reset();
    }
    reply(std::move(page));
  }

  void GetConnection(std::uint64_t number,
                     Reply<ConnectionInfo> reply) override {
    if (hold_replies) {
      std::lock_guard<std::mutex> lock(mutex_);
      held_.push_back(std::move(reply));
      return;
    }
    const auto found = connections.find(number);
    if (found == connections.end()) {
      return reply(NotFound("CONNECTION_NOT_FOUND"));
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

  void Drain(DrainOptions options, Reply<ServerInfo> reply) override {
    std::lock_guard<std::mutex> lock(mutex_);
    if (last_drain_.has_value()) return reply(ServerDrainingError());
    last_drain_ = options;
    reply(ServerInfo{.start_time = server.start_time,
                     .state = ServerInfo::State::kDraining,
                     .worker_count = server.worker_count});
  }

 private:
  static absl::Status NotFound(const std::string& reason) {
    return ControlError(absl::StatusCode::kNotFound, "not here",
                        {.reason = reason});
  }

  mutable std::mutex mutex_;
  std::optional<ListenerUpdate> last_update_;
  std::optional<DrainOptions> last_drain_;
  std::optional<CloseMode> last_close_;
  std::vector<Reply<ConnectionInfo>> held_;
  int list_calls_ = 0;
};

}  // namespace echod

#endif  // ADMIN_TESTING_FAKE_SERVER_CONTROL_H_
