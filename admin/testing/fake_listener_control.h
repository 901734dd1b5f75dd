// SPDX-License-Identifier: Apache-2.0

#ifndef ADMIN_TESTING_FAKE_LISTENER_CONTROL_H_
#define ADMIN_TESTING_FAKE_LISTENER_CONTROL_H_

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "echo/control/control_error.h"
#include "echo/control/listener_control.h"
#include "echo/control/reply.h"

namespace echod {

// Answers immediately with what a test has set, and remembers what it was
// asked. Thread-safe where the admin plane calls it; a test sets it up before.
class FakeListenerControl final : public ListenerControl {
 public:
  std::map<std::string, ListenerInfo> infos;        // by id
  std::map<std::string, ListenerPlace> configured;  // by id
  absl::Status update_error;  // what changes are answered with, unless OK
  // Called by ChangeListeners.
  std::function<void(std::vector<ListenerChange>,
                     Reply<std::vector<ListenerInfo>>)>
      change_listeners;

  std::optional<ListenerUpdate> last_update() const {
    std::lock_guard<std::mutex> lock(mutex_);
    return last_update_;
  }

  std::vector<ListenerInfo> ListListeners() const override {
    std::vector<ListenerInfo> listeners;
    for (const auto& [id, info] : infos) listeners.push_back(info);
    return listeners;
  }

  absl::StatusOr<ListenerInfo> GetListener(
      const std::string& id) const override {
    const auto found = infos.find(id);
    if (found == infos.end()) {
      return ControlError(absl::StatusCode::kNotFound, "not here",
                          {.reason = "LISTENER_NOT_FOUND"});
    }
    return found->second;
  }

  ListenerSnapshot ReadListeners() const override {
    return {.listeners = ListListeners(), .configured = configured};
  }

  void CreateListener(ListenerCreation creation,
                      Reply<ListenerInfo> reply) override {
    if (!update_error.ok()) return reply(update_error);
    reply(ListenerInfo{.id = creation.id,
                       .address = creation.address,
                       .port = creation.port,
                       .settings = creation.settings});
  }

  void PauseListener(ListenerPause pause, Reply<ListenerInfo> reply) override {
    if (!update_error.ok()) return reply(update_error);
    reply(GetListener(pause.id));
  }

  void DeleteListener(ListenerDeletion deletion,
                      Reply<ListenerInfo> reply) override {
    if (!update_error.ok()) return reply(update_error);
    reply(GetListener(deletion.id));
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

  void ChangeListeners(std::vector<ListenerChange> changes,
                       Reply<std::vector<ListenerInfo>> reply) override {
    change_listeners(std::move(changes), std::move(reply));
  }

 private:
  mutable std::mutex mutex_;
  std::optional<ListenerUpdate> last_update_;
};

}  // namespace echod

#endif  // ADMIN_TESTING_FAKE_LISTENER_CONTROL_H_
