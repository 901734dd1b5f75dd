// SPDX-License-Identifier: Apache-2.0

#ifndef ADMIN_TESTING_FAKE_CONNECTION_CONTROL_H_
#define ADMIN_TESTING_FAKE_CONNECTION_CONTROL_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "echo/control/connection_control.h"
#include "echo/control/connection_info.h"
#include "echo/control/control_error.h"
#include "echo/control/reply.h"
#include "echo/control/session_event.h"

namespace echod {

// Answers immediately with what a test has set, and remembers what it was
// asked. Thread-safe where the admin plane calls it; a test sets it up before.
class FakeConnectionControl final : public ConnectionControl {
 public:
  std::map<std::uint64_t, ConnectionInfo> infos;  // by number

  // Instead of answering, keeps the Reply; the test answers, or drops it.
  bool hold_replies = false;
  std::atomic<bool> hold_lists = false;  // the same for lists and closings

  std::optional<CloseMode> last_close() const {
    std::lock_guard<std::mutex> lock(mutex_);
    return last_close_;
  }
  std::vector<Reply<ConnectionInfo>> TakeHeldReplies() {
    std::lock_guard<std::mutex> lock(mutex_);
    return std::exchange(held_, {});
  }
  void DropHeldLists() {
    std::lock_guard<std::mutex> lock(mutex_);
    held_lists_.clear();
    held_closings_.clear();
  }
  bool has_held_replies() const {
    std::lock_guard<std::mutex> lock(mutex_);
    return !held_.empty();
  }
  int list_calls() const { return static_cast<int>(queries().size()); }
  // The lists that it was asked for. It knows no filter and no order.
  std::vector<ConnectionQuery> queries() const {
    std::lock_guard<std::mutex> lock(mutex_);
    return queries_;
  }

  void ListConnections(ConnectionQuery query,
                       Reply<ConnectionParts> reply) override {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      queries_.push_back(query);
      if (hold_lists) {
        held_lists_.push_back(std::move(reply));
        return;
      }
    }
    ConnectionPart part;
    const std::uint64_t after =
        query.after.has_value() ? query.after->number : 0;
    for (auto it = infos.upper_bound(after);
         it != infos.end() &&
         static_cast<int>(part.places.size()) <= query.limit;
         ++it) {
      part.places.push_back({.number = it->first});
      if (query.places_only) continue;
      part.connections.push_back(it->second);
      if (!query.with_tcp_info) part.connections.back().tcp_info.reset();
    }
    ConnectionParts parts{.limit = static_cast<std::size_t>(query.limit),
                          .total = static_cast<std::int64_t>(infos.size())};
    parts.workers.push_back(std::move(part));
    reply(std::move(parts));
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

  void WatchConnections(std::shared_ptr<SessionEventSink> sink,
                        Reply<WatchBegun> reply) override {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      sinks_.push_back(std::move(sink));
    }
    reply(WatchBegun());
  }

  void StopWatching(std::shared_ptr<SessionEventSink> sink) override {
    std::lock_guard<std::mutex> lock(mutex_);
    std::erase(sinks_, sink);
  }

  // Gives all watches an event that they want.
  void Emit(const SessionEvent& event) {
    std::vector<std::shared_ptr<SessionEventSink>> sinks;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      sinks = sinks_;
    }
    for (const auto& sink : sinks) {
      if (sink->Wants(event.kind)) sink->OnEvent(event);
    }
  }

  std::size_t watches() const {
    std::lock_guard<std::mutex> lock(mutex_);
    return sinks_.size();
  }

  void CloseConnection(std::uint64_t number, CloseMode mode,
                       Reply<ConnectionInfo> reply) override {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      last_close_ = mode;
    }
    GetConnection(number, std::move(reply));
  }

  void CloseConnections(ConnectionClosing closing,
                        Reply<ClosedConnections> reply) override {
    ClosedConnections closed;
    for (const auto& [number, info] : infos) {
      ++closed.count;
      closed.sample.push_back(info);
    }
    {
      std::lock_guard<std::mutex> lock(mutex_);
      closings_.push_back(std::move(closing));
      if (hold_lists) {
        held_closings_.push_back(std::move(reply));
        return;
      }
    }
    reply(std::move(closed));
  }
  // What it was asked to close. It closes nothing.
  std::vector<ConnectionClosing> closings() const {
    std::lock_guard<std::mutex> lock(mutex_);
    return closings_;
  }

 private:
  mutable std::mutex mutex_;
  std::optional<CloseMode> last_close_;
  std::vector<Reply<ConnectionInfo>> held_;
  std::vector<Reply<ConnectionParts>> held_lists_;
  std::vector<Reply<ClosedConnections>> held_closings_;
  std::vector<ConnectionClosing> closings_;
  std::vector<ConnectionQuery> queries_;
  std::vector<std::shared_ptr<SessionEventSink>> sinks_;
  int list_calls_ = 0;
};

}  // namespace echod

#endif  // ADMIN_TESTING_FAKE_CONNECTION_CONTROL_H_
