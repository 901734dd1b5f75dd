// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_SERVER_PUBLISHED_LISTENERS_H_
#define ECHO_SERVER_PUBLISHED_LISTENERS_H_

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "echo/base/mutex.h"
#include "echo/control/listener_control.h"
#include "echo/control/stats.h"
#include "echo/session/listener_handle.h"
#include "echo/session/listener_stats.h"

namespace echod {

// The listeners and their counters as readers on any thread see them: an
// immutable snapshot, which each change replaces. A change copies no more than
// a pointer for each listener.
//
// Whatever happens to listeners, no counter of the totals ever goes back.
// Changes are for one thread, reading is thread-safe.
class PublishedListeners {
 public:
  using SharedStats = std::shared_ptr<const ListenerStats>;
  using StatsById = std::map<std::string, SharedStats>;

  PublishedListeners();
  PublishedListeners(const PublishedListeners&) = delete;
  PublishedListeners& operator=(const PublishedListeners&) = delete;

  // Shows the listener `info.id` like this. With `configured`, it is where the
  // configuration wants it.
  void Show(ListenerInfo info, SharedStats stats, bool configured = false);
  // The configuration no longer names the listener.
  void RemoveFromConfig(const std::string& id);
  // Of those that are not shown, the configuration names these only.
  void KeepInConfig(const std::set<std::string>& ids);
  // Shows it no longer; its counters are still read for the totals.
  void Hide(const std::string& id, ListenerHandle handle);
  // The counters of a hidden one are written no more: adds them to the sum of
  // all that have gone.
  void Forget(ListenerHandle handle);

  // By id.
  std::vector<ListenerInfo> List() const;
  std::optional<ListenerInfo> Get(const std::string& id) const;
  ListenerSnapshot ReadAll() const;
  // Adds the counters. `stats.workers` has a place for each worker. Returns
  // whose counters `stats.listeners` has, by id.
  StatsById AddTo(Stats& stats) const;

 private:
  struct Shown {
    ListenerInfo info;
    SharedStats stats;
  };
  // Of listeners that have gone, and by worker.
  struct Sum {
    Counters total;
    std::vector<Counters> workers;
  };
  struct Snapshot {
    std::map<std::string, std::shared_ptr<const Shown>> shown;
    std::map<ListenerHandle, SharedStats> hidden;
    std::map<std::string, ListenerPlace> configured;
    std::shared_ptr<const Sum> gone;
  };

  static ListenerInfo Describe(const Shown& shown);
  static std::vector<ListenerInfo> Describe(const Snapshot& snapshot);
  std::shared_ptr<Snapshot> Copy() const;
  void Replace(std::shared_ptr<const Snapshot> snapshot);
  std::shared_ptr<const Snapshot> Read() const;

  mutable Mutex mutex_;
  std::shared_ptr<const Snapshot> snapshot_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace echod

#endif  // ECHO_SERVER_PUBLISHED_LISTENERS_H_
