// SPDX-License-Identifier: Apache-2.0

#include "echo/server/published_listeners.h"

#include <atomic>
#include <cstddef>
#include <iterator>
#include <utility>

namespace echod {

PublishedListeners::PublishedListeners()
    : snapshot_(std::make_shared<Snapshot>()) {}

void PublishedListeners::Show(ListenerInfo info, SharedStats stats,
                              bool configured) {
  auto snapshot = Copy();
  if (configured) {
    snapshot->configured[info.id] = {.address = info.address,
                                     .port = info.port};
  }
  auto& shown = snapshot->shown[info.id];
  shown = std::make_shared<Shown>(
      Shown{.info = std::move(info), .stats = std::move(stats)});
  Replace(std::move(snapshot));
}

void PublishedListeners::RemoveFromConfig(const std::string& id) {
  auto snapshot = Copy();
  snapshot->configured.erase(id);
  Replace(std::move(snapshot));
}

void PublishedListeners::KeepInConfig(const std::set<std::string>& ids) {
  auto snapshot = Copy();
  auto& configured = snapshot->configured;
  for (auto it = configured.begin(); it != configured.end();) {
    const bool keep =
        ids.count(it->first) > 0 || snapshot->shown.count(it->first) > 0;
    it = keep ? std::next(it) : configured.erase(it);
  }
  Replace(std::move(snapshot));
}

void PublishedListeners::Hide(const std::string& id, ListenerHandle handle) {
  auto snapshot = Copy();
  const auto found = snapshot->shown.find(id);
  snapshot->hidden[handle] = found->second->stats;
  snapshot->shown.erase(found);
  Replace(std::move(snapshot));
}

void PublishedListeners::Forget(ListenerHandle handle) {
  auto snapshot = Copy();
  const auto found = snapshot->hidden.find(handle);
  const SharedStats stats = std::move(found->second);
  snapshot->hidden.erase(found);
  auto gone = snapshot->gone == nullptr
                  ? std::make_shared<Sum>()
                  : std::make_shared<Sum>(*snapshot->gone);
  gone->workers.resize(stats->worker_count());
  gone->total += stats->AddTo(gone->workers);
  snapshot->gone = std::move(gone);
  Replace(std::move(snapshot));
}

std::shared_ptr<PublishedListeners::Snapshot> PublishedListeners::Copy() const {
  return std::make_shared<Snapshot>(*Read());
}

void PublishedListeners::Replace(std::shared_ptr<const Snapshot> snapshot) {
  const MutexLock lock(mutex_);
  snapshot_.swap(snapshot);  // the old one dies outside the lock
}

std::shared_ptr<const PublishedListeners::Snapshot> PublishedListeners::Read()
    const {
  const MutexLock lock(mutex_);
  return snapshot_;
}

ListenerInfo PublishedListeners::Describe(const Shown& shown) {
  ListenerInfo info = shown.info;
  info.draining_generations =
      shown.stats->open_by_generation.Before(info.generation);
  info.active_connections =
      shown.stats->open_connections.load(std::memory_order_relaxed);
  return info;
}

std::vector<ListenerInfo> PublishedListeners::Describe(
    const Snapshot& snapshot) {
  std::vector<ListenerInfo> infos;
  for (const auto& [id, shown] : snapshot.shown) {
    infos.push_back(Describe(*shown));
  }
  return infos;
}

std::vector<ListenerInfo> PublishedListeners::List() const {
  return Describe(*Read());
}

ListenerSnapshot PublishedListeners::ReadAll() const {
  const auto snapshot = Read();
  return {.listeners = Describe(*snapshot), .configured = snapshot->configured};
}

std::optional<ListenerInfo> PublishedListeners::Get(
    const std::string& id) const {
  const auto snapshot = Read();
  const auto found = snapshot->shown.find(id);
  if (found == snapshot->shown.end()) return std::nullopt;
  return Describe(*found->second);
}

PublishedListeners::StatsById PublishedListeners::AddTo(Stats& stats) const {
  StatsById by_id;
  const auto snapshot = Read();
  const auto add = [&stats](const ListenerStats& each) {
    Counters total = each.AddTo(stats.workers);
    stats.total += total;
    return total;
  };
  for (const auto& [id, shown] : snapshot->shown) {
    stats.listeners[id] = add(*shown->stats);
    by_id[id] = shown->stats;
  }
  for (const auto& [handle, hidden] : snapshot->hidden) add(*hidden);
  if (snapshot->gone == nullptr) return by_id;
  stats.total += snapshot->gone->total;
  for (std::size_t i = 0; i < snapshot->gone->workers.size(); ++i) {
    stats.workers[i] += snapshot->gone->workers[i];
  }
  return by_id;
}

}  // namespace echod
