// SPDX-License-Identifier: Apache-2.0

#include "echo/server/listener_registry.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <set>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "echo/base/logging.h"
#include "echo/control/control_error.h"
#include "echo/control/listener_id.h"
#include "echo/event/post_at_end.h"
#include "echo/session/listener_stats.h"

namespace echod {
namespace {

// Connections of every generation.
constexpr std::int64_t kAllGenerations =
    std::numeric_limits<std::int64_t>::max();

absl::Status ListenerNotFound(const std::string& id) {
  return ControlError(
      absl::StatusCode::kNotFound,
      absl::StrCat("there is no listener '", id, "'"),
      {.reason = "LISTENER_NOT_FOUND", .field = "", .errno_name = ""});
}

}  // namespace

ListenerRegistry::ListenerRegistry(
    EventLoop& loop, Clock& clock,
    const std::vector<std::unique_ptr<Worker>>& workers,
    absl::Duration drain_timeout, Callbacks callbacks)
    : loop_(loop),
      clock_(clock),
      workers_(workers),
      callbacks_(std::move(callbacks)),
      drains_(clock, workers, drain_timeout) {}

absl::Status ListenerRegistry::TooManyListenersError() {
  return ControlError(
      absl::StatusCode::kResourceExhausted,
      absl::StrCat("there are ", kMostListeners,
                   " listeners, with those that have been deleted and have "
                   "connections left; delete one, or end such connections"),
      {.reason = "TOO_MANY_LISTENERS", .field = "", .errno_name = ""});
}

absl::StatusOr<Listener::Plan> ListenerRegistry::CheckCreation(
    const ListenerCreation& creation) const {
  if (frozen_) return ServerDrainingError();
  if (absl::Status valid = CheckListenerId(creation.id); !valid.ok())
    return valid;
  const auto taken = listeners_.find(creation.id);
  if (taken != listeners_.end()) {
    return ControlError(
        absl::StatusCode::kAlreadyExists,
        absl::StrCat("there is a listener '", creation.id, "' already",
                     taken->second->stopped()
                         ? ", which is being deleted; try again in a moment"
                         : ""),
        {.reason = "LISTENER_EXISTS", .field = "id", .errno_name = ""});
  }
  if (listeners_.size() + leaving_.size() >= kMostListeners) {
    return TooManyListenersError();
  }
  return Listener::Prepare(creation);
}

absl::StatusOr<ListenerRegistry::Creation> ListenerRegistry::PrepareCreate(
    const ListenerCreation& creation,
    std::optional<ListenSocket> inherited) const {
  absl::StatusOr<Listener::Plan> plan = CheckCreation(creation);
  if (!plan.ok()) return std::move(plan).status();
  if (inherited.has_value()) {
    plan->address = inherited->address;
    plan->socket = *std::move(inherited);
  }
  if (absl::Status opened = Listener::OpenSocket(*plan); !opened.ok()) {
    return opened;
  }
  Creation prepared;
  prepared.id_ = creation.id;
  prepared.plan_ = *std::move(plan);
  return prepared;
}

ListenerInfo ListenerRegistry::ApplyCreate(Creation creation,
                                           ListenerInfo::Source source) {
  const ListenerHandle handle{++last_handle_};
  const std::string& id = creation.id_;
  const ListenerSettings settings = creation.plan_.settings;
  auto stats =
      std::make_shared<ListenerStats>(static_cast<int>(workers_.size()));
  for (const auto& worker : workers_) {
    // At once where it is on this loop: it gets sockets without a closure, and
    // the first may be there before a closure's turn comes.
    if (worker->index() == 0) {
      worker->AddListener(handle, id, settings, stats);
      continue;
    }
    worker->Post([handle, id, settings, stats](Worker& self) {
      self.AddListener(handle, id, settings, stats);
    });
  }
  auto listener = std::make_unique<Listener>(
      loop_, clock_, acceptors_,
      Listener::Identity{.id = id,
                         .handle = handle,
                         .source = source,
                         .first_generation = FirstGeneration(id)},
      std::move(creation.plan_), std::move(stats),
      Listener::Callbacks{
          .has_room = [this] { return callbacks_.has_room(); },
          .on_accept =
              [this](Listener& from, Listener::Accepted accepted) {
                callbacks_.on_accept({.listener = from.handle(),
                                      .stats = from.stats(),
                                      .socket = std::move(accepted.socket),
                                      .remote = accepted.remote,
                                      .generation = accepted.generation});
              },
          .on_accepted_all = [this] { callbacks_.on_accepted_all(); }});
  ListenerInfo info = listener->Describe();
  Publish(*listener, source == ListenerInfo::Source::kConfig);
  listeners_[id] = std::move(listener);
  return info;
}

void ListenerRegistry::Create(const ListenerCreation& creation,
                              Reply<ListenerInfo> reply) {
  if (creation.validate_only) {
    absl::StatusOr<Listener::Plan> plan = CheckCreation(creation);
    if (!plan.ok()) return reply(std::move(plan).status());
    absl::Status possible = Listener::CheckSocket(*plan);
    if (!possible.ok()) return reply(std::move(possible));
    return reply(Listener::Preview(creation.id, *plan));
  }
  absl::StatusOr<Creation> prepared = PrepareCreate(creation);
  if (!prepared.ok()) return reply(std::move(prepared).status());
  CreateAndReply(*std::move(prepared), ListenerInfo::Source::kRuntime,
                 std::move(reply));
}

void ListenerRegistry::CreateAndReply(Creation creation,
                                      ListenerInfo::Source source,
                                      Reply<ListenerInfo> reply) {
  ListenerInfo info = ApplyCreate(std::move(creation), source);
  LogInfo(absl::StrCat("created listener ", info.id, ", which ",
                       info.state == ListenerInfo::State::kPaused
                           ? "is paused on "
                           : "accepts on ",
                       info.bound_address));
  NotifyChanged(std::make_shared<PostAtEnd>(
      loop_, [info = std::move(info), reply = std::move(reply)]() mutable {
        reply(std::move(info));
      }));
}

absl::StatusOr<Listener*> ListenerRegistry::FindToChange(
    const std::string& id) {
  const auto found = listeners_.find(id);
  if (found == listeners_.end()) return ListenerNotFound(id);
  if (frozen_) return ServerDrainingError();
  if (found->second->stopped()) {
    return ControlError(
        absl::StatusCode::kFailedPrecondition,
        absl::StrCat("listener '", id, "' is being deleted"),
        {.reason = "LISTENER_DELETING", .field = "", .errno_name = ""});
  }
  return found->second.get();
}

void ListenerRegistry::Update(ListenerUpdate update,
                              Reply<ListenerInfo> reply) {
  absl::StatusOr<Listener*> found = FindToChange(update.id);
  if (!found.ok()) return reply(std::move(found).status());
  Listener& listener = **found;
  absl::StatusOr<Listener::Plan> plan = listener.Prepare(update);
  if (!plan.ok()) return reply(std::move(plan).status());
  absl::StatusOr<PolicyDrains::Prepared> drain =
      drains_.Prepare(plan->new_socket ? update.drain : DrainPolicy());
  if (!drain.ok()) return reply(std::move(drain).status());
  absl::Status possible = update.validate_only ? Listener::CheckSocket(*plan)
                                               : Listener::OpenSocket(*plan);
  // A port that this listener is only just leaving is free for it, soon.
  const bool leaving = !possible.ok() && listener.IsLeaving(plan->address);
  if (!possible.ok() && !leaving) {
    return reply(listener.ExplainSocketError(std::move(possible), *plan));
  }
  if (update.validate_only) return reply(listener.Preview(*plan));
  if (leaving) {
    const int port = plan->address.port();
    listener.WhenRetired(port, [this, update = std::move(update),
                                reply = std::move(reply)]() mutable {
      Update(std::move(update), std::move(reply));
    });
    return;
  }
  if (update.applied != nullptr) update.applied->before = listener.Describe();
  ApplyUpdate(listener, *std::move(plan), *drain, std::move(reply));
  // The answer comes later, and may show further updates.
  if (update.applied != nullptr) update.applied->after = listener.Describe();
}

void ListenerRegistry::ApplyUpdate(Listener& listener, Listener::Plan plan,
                                   const PolicyDrains::Prepared& drain,
                                   Reply<ListenerInfo> reply) {
  const ListenerHandle handle = listener.handle();
  const bool new_socket = plan.new_socket;
  const bool from_config = plan.from_config;
  const bool new_settings = plan.settings != listener.settings();
  const std::int64_t generation = listener.generation() + (new_socket ? 1 : 0);
  const ListenerInfo before = listener.Describe();
  // Everything that takes part in the change holds this; the last one answers.
  auto info = std::make_shared<ListenerInfo>();
  std::shared_ptr<void> all_done = std::make_shared<PostAtEnd>(
      loop_, [this, handle, info, reply = std::move(reply)]() mutable {
        const auto found = listeners_.find(info->id);
        if (found != listeners_.end() && found->second->handle() == handle) {
          return reply(found->second->Describe());
        }
        if (frozen_) return reply(ServerDrainingError());
        reply(*std::move(info));  // deleted meanwhile
      });
  listener.Apply(std::move(plan),
                 [this, handle, new_socket, generation, drain, all_done] {
                   // Connections whose handshake was under way have come since.
                   if (new_socket) {
                     drains_.Run(drain, handle, generation, all_done);
                   }
                 });
  *info = listener.Describe();
  if (new_settings) {
    LogInfo(absl::StrCat("listener ", listener.id(), " has new settings"));
    for (const auto& worker : workers_) {
      worker->Post([handle, settings = listener.settings(),
                    all_done](Worker& self) mutable {
        self.SetListenerSettings(handle, settings,
                                 [all_done = std::move(all_done)] {});
      });
    }
  }
  if (new_socket) {
    LogInfo(absl::StrCat("moving listener ", listener.id(), " from ",
                         before.bound_address, " to ", info->bound_address));
    drains_.Run(drain, handle, generation, all_done);
  }
  if (info->state != before.state) {
    LogInfo(absl::StrCat("listener ", listener.id(),
                         info->state == ListenerInfo::State::kPaused
                             ? " has paused on "
                             : " accepts again on ",
                         info->bound_address));
  }
  Publish(listener, from_config);
  if (new_socket) NotifyChanged(all_done);
}

void ListenerRegistry::Pause(const ListenerPause& pause,
                             Reply<ListenerInfo> reply) {
  ListenerUpdate update;
  update.id = pause.id;
  update.paused = pause.paused;
  update.etag = pause.etag;
  update.validate_only = pause.validate_only;
  Update(std::move(update), std::move(reply));
}

void ListenerRegistry::Delete(const ListenerDeletion& deletion,
                              Reply<ListenerInfo> reply) {
  absl::StatusOr<Listener*> found = FindToChange(deletion.id);
  if (!found.ok()) return reply(std::move(found).status());
  Listener& listener = **found;
  if (absl::Status same = listener.CheckEtag(deletion.etag); !same.ok()) {
    return reply(std::move(same));
  }
  if (absl::Status can = listener.CheckCanClose(); !can.ok()) {
    return reply(std::move(can));
  }
  absl::StatusOr<PolicyDrains::Prepared> drain =
      drains_.Prepare(deletion.drain);
  if (!drain.ok()) return reply(std::move(drain).status());
  if (deletion.validate_only) return reply(listener.Describe());
  ApplyDelete(listener, *std::move(drain), std::move(reply));
}

void ListenerRegistry::ApplyDelete(Listener& listener,
                                   PolicyDrains::Prepared drain,
                                   Reply<ListenerInfo> reply) {
  LogInfo(absl::StrCat("deleting listener ", listener.id(), " on ",
                       listener.bound_address().ToString()));
  auto info = std::make_shared<std::optional<ListenerInfo>>();
  std::shared_ptr<void> all_done = std::make_shared<PostAtEnd>(
      loop_, [info, reply = std::move(reply)]() mutable {
        if (!info->has_value()) return reply(ServerDrainingError());
        reply(**std::move(info));
      });
  drains_.Run(drain, listener.handle(), kAllGenerations, all_done);
  listener.Stop([this, &listener, info, drain = std::move(drain), all_done] {
    // Connections whose handshake was under way have come since.
    drains_.Run(drain, listener.handle(), kAllGenerations, all_done);
    *info = listener.Describe();
    OnClosed(listener);
    NotifyChanged(all_done);
  });
  // Unless it has closed by now, having no socket that retires.
  if (!info->has_value()) Publish(listener);
}

void ListenerRegistry::Publish(const Listener& listener, bool configured) {
  published_.Show(listener.Describe(), listener.stats(), configured);
  NotifyAcceptingChanged();
}

void ListenerRegistry::OnClosed(Listener& listener) {
  lost_connections_ = lost_connections_ || listener.LosesConnections();
  const ListenerHandle handle = listener.handle();
  leaving_[handle] = {.id = listener.id(), .generation = listener.generation()};
  published_.Hide(listener.id(), handle);
  NotifyAcceptingChanged();

  // A worker gets this after the last socket, and lets go of it when it has no
  // connection left, or has failed.
  const auto gone =
      std::make_shared<PostAtEnd>(loop_, [this, handle] { OnGone(handle); });
  for (const auto& worker : workers_) {
    worker->Post([handle, gone = gone](Worker& self) mutable {
      self.RemoveListener(handle, [gone = std::move(gone)] {});
    });
  }
  // Not destroyed here: this is its own callback.
  const auto found = listeners_.find(listener.id());
  loop_.Post([closed = std::move(found->second)] {});
  listeners_.erase(found);
}

void ListenerRegistry::OnGone(ListenerHandle handle) {
  leaving_.erase(handle);
  published_.Forget(handle);
}

std::int64_t ListenerRegistry::FirstGeneration(const std::string& id) const {
  // So that a connection's listener and generation still tell where it is from.
  std::int64_t last = 0;
  for (const auto& [handle, leaving] : leaving_) {
    if (leaving.id == id) last = std::max(last, leaving.generation);
  }
  return last + 1;
}

void ListenerRegistry::NotifyChanged(std::shared_ptr<const void> hold) {
  if (callbacks_.on_changed) callbacks_.on_changed(std::move(hold));
}

void ListenerRegistry::KeepInConfig(const std::set<std::string>& ids) {
  published_.KeepInConfig(ids);
  NotifyAcceptingChanged();
}

void ListenerRegistry::NotifyAcceptingChanged() {
  if (callbacks_.on_accepting_changed) callbacks_.on_accepting_changed();
}

void ListenerRegistry::StopAll(absl::AnyInvocable<void()> done) {
  const auto all = std::make_shared<PostAtEnd>(loop_, std::move(done));
  for (const auto& [id, listener] : listeners_) {
    listener->Stop([all] {});
    Publish(*listener);
  }
}

void ListenerRegistry::Close() {
  lost_connections_ = LosesConnections();
  listeners_.clear();
}

bool ListenerRegistry::LosesConnections() const {
  return lost_connections_ ||
         std::any_of(listeners_.begin(), listeners_.end(), [](const auto& it) {
           return it.second->LosesConnections();
         });
}

absl::StatusOr<ListenerInfo> ListenerRegistry::Get(
    const std::string& id) const {
  std::optional<ListenerInfo> info = published_.Get(id);
  if (!info.has_value()) return ListenerNotFound(id);
  return *std::move(info);
}

}  // namespace echod
