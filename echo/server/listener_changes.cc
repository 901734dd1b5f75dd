// SPDX-License-Identifier: Apache-2.0

// Several changes to listeners as one.

#include <algorithm>
#include <cstddef>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "echo/control/control_error.h"
#include "echo/control/listener_control.h"
#include "echo/event/post_at_end.h"
#include "echo/server/listener_registry.h"

namespace echod {
namespace {

// The error of one change, which says in its field which one it is of.
absl::Status AtChange(std::size_t index, const absl::Status& error) {
  ErrorDetail detail = GetErrorDetail(error);
  detail.field = absl::StrCat("changes[", index, "]");
  return ControlError(error.code(), error.message(), detail);
}

}  // namespace

struct ListenerRegistry::PreparedUpdate {
  Listener* listener;
  Listener::Plan plan;
  PolicyDrains::Prepared drain;
};

struct ListenerRegistry::PreparedDeletion {
  Listener* listener;
  PolicyDrains::Prepared drain;
};

std::vector<Listener*> ListenerRegistry::FindGivers(
    const std::vector<ListenerChange>& changes) {
  std::vector<Listener*> givers;
  for (const ListenerChange& change : changes) {
    const absl::StatusOr<Listener*> found = FindToChange(IdOf(change));
    if (!found.ok()) continue;
    bool leaves = std::holds_alternative<ListenerDeletion>(change);
    if (const auto* update = std::get_if<ListenerUpdate>(&change)) {
      const absl::StatusOr<Listener::Plan> plan = (*found)->Prepare(*update);
      leaves = plan.ok() && plan->new_socket;
    }
    if (leaves) givers.push_back(*found);
  }
  return givers;
}

absl::Status ListenerRegistry::PrepareSocket(Listener::Plan& plan,
                                             Preparation& preparation) {
  if (plan.new_socket) {
    std::vector<Listener*>& givers = preparation.givers;
    const auto giver = std::find_if(
        givers.begin(), givers.end(),
        [&](const Listener* each) { return each->AcceptsOn(plan.address); });
    if (giver != givers.end()) {
      plan.giver = *giver;
      givers.erase(giver);
    }
  }
  return preparation.depth == Preparation::Depth::kOpen
             ? Listener::OpenSocket(plan)
             : Listener::CheckSocket(plan);
}

absl::StatusOr<ListenerRegistry::PreparedChange>
ListenerRegistry::PrepareChange(const ListenerCreation& creation,
                                Preparation& preparation) {
  absl::StatusOr<Listener::Plan> plan = CheckCreation(creation);
  if (!plan.ok()) return std::move(plan).status();
  absl::Status possible = PrepareSocket(*plan, preparation);
  if (!possible.ok()) return possible;
  Creation prepared;
  prepared.id_ = creation.id;
  prepared.plan_ = *std::move(plan);
  return prepared;
}

absl::StatusOr<ListenerRegistry::PreparedChange>
ListenerRegistry::PrepareChange(const ListenerUpdate& update,
                                Preparation& preparation) {
  absl::StatusOr<Listener*> found = FindToChange(update.id);
  if (!found.ok()) return std::move(found).status();
  absl::StatusOr<Listener::Plan> plan = (*found)->Prepare(update);
  if (!plan.ok()) return std::move(plan).status();
  absl::StatusOr<PolicyDrains::Prepared> drain =
      drains_.Prepare(plan->new_socket ? update.drain : DrainPolicy());
  if (!drain.ok()) return std::move(drain).status();
  absl::Status possible = PrepareSocket(*plan, preparation);
  if (!possible.ok()) {
    return (*found)->ExplainSocketError(std::move(possible), *plan);
  }
  plan->from_config = true;
  return PreparedUpdate{
      .listener = *found, .plan = *std::move(plan), .drain = *std::move(drain)};
}

absl::StatusOr<ListenerRegistry::PreparedChange>
ListenerRegistry::PrepareChange(const ListenerDeletion& deletion,
                                Preparation& /*preparation*/) {
  absl::StatusOr<Listener*> found = FindToChange(deletion.id);
  if (!found.ok()) return std::move(found).status();
  if (absl::Status same = (*found)->CheckEtag(deletion.etag); !same.ok()) {
    return same;
  }
  if (absl::Status can = (*found)->CheckCanClose(); !can.ok()) return can;
  absl::StatusOr<PolicyDrains::Prepared> drain =
      drains_.Prepare(deletion.drain);
  if (!drain.ok()) return std::move(drain).status();
  return PreparedDeletion{.listener = *found, .drain = *std::move(drain)};
}

void ListenerRegistry::TakeSocket(PreparedChange& change) {
  if (auto* creation = std::get_if<Creation>(&change)) {
    Listener::TakeSocket(creation->plan_);
  } else if (auto* update = std::get_if<PreparedUpdate>(&change)) {
    Listener::TakeSocket(update->plan);
  }
}

void ListenerRegistry::Apply(Creation creation, Reply<ListenerInfo> reply) {
  CreateAndReply(std::move(creation), ListenerInfo::Source::kConfig,
                 std::move(reply));
}

void ListenerRegistry::Apply(PreparedUpdate update, Reply<ListenerInfo> reply) {
  ApplyUpdate(*update.listener, std::move(update.plan), update.drain,
              std::move(reply));
}

void ListenerRegistry::Apply(PreparedDeletion deletion,
                             Reply<ListenerInfo> reply) {
  published_.RemoveFromConfig(deletion.listener->id());
  ApplyDelete(*deletion.listener, std::move(deletion.drain), std::move(reply));
}

absl::Status ListenerRegistry::CheckTogether(
    const std::vector<ListenerChange>& changes) const {
  std::set<std::string> ids;
  std::size_t listeners = listeners_.size() + leaving_.size();
  for (std::size_t i = 0; i < changes.size(); ++i) {
    if (!ids.insert(IdOf(changes[i])).second) {
      return AtChange(
          i, InvalidFieldError("", absl::StrCat("listener '", IdOf(changes[i]),
                                                "' can be changed once only")));
    }
    // What is deleted here makes no room until its connections have gone.
    if (std::holds_alternative<ListenerCreation>(changes[i]) &&
        ++listeners > kMostListeners) {
      return AtChange(i, TooManyListenersError());
    }
  }
  return absl::OkStatus();
}

void ListenerRegistry::ChangeAll(std::vector<ListenerChange> changes,
                                 Reply<std::vector<ListenerInfo>> reply) {
  if (absl::Status valid = CheckTogether(changes); !valid.ok()) {
    return reply(std::move(valid));
  }
  std::vector<PreparedChange> prepared;
  // No socket listens before all are known to be possible: a client that it had
  // taken in would be reset if a later change failed.
  using Depth = Preparation::Depth;
  for (const Depth depth : {Depth::kCheck, Depth::kOpen}) {
    prepared.clear();
    Preparation preparation = {.depth = depth, .givers = FindGivers(changes)};
    for (std::size_t i = 0; i < changes.size(); ++i) {
      absl::StatusOr<PreparedChange> next = std::visit(
          [&](const auto& each) { return PrepareChange(each, preparation); },
          changes[i]);
      if (!next.ok()) {
        prepared.clear();  // who gets the answer finds no port open
        return reply(AtChange(i, next.status()));
      }
      prepared.push_back(*std::move(next));
    }
  }

  // Every part of every change holds this; the last one answers.
  const auto infos =
      std::make_shared<std::vector<ListenerInfo>>(changes.size());
  const auto failure = std::make_shared<absl::Status>();
  const auto all = std::make_shared<PostAtEnd>(
      loop_, [infos, failure, reply = std::move(reply)]() mutable {
        if (!failure->ok()) return reply(std::move(*failure));
        reply(std::move(*infos));
      });
  // First of all, since whoever gives a socket up may be applied before.
  for (PreparedChange& each : prepared) TakeSocket(each);
  for (std::size_t i = 0; i < prepared.size(); ++i) {
    Reply<ListenerInfo> part(
        [infos, failure, i, all](absl::StatusOr<ListenerInfo> info) {
          if (info.ok()) {
            (*infos)[i] = *std::move(info);
          } else {
            failure->Update(AtChange(i, info.status()));
          }
        });
    std::visit(
        [&](auto&& each) {
          Apply(std::forward<decltype(each)>(each), std::move(part));
        },
        std::move(prepared[i]));
  }
}

}  // namespace echod
