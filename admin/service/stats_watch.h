// SPDX-License-Identifier: Apache-2.0

#ifndef ADMIN_SERVICE_STATS_WATCH_H_
#define ADMIN_SERVICE_STATS_WATCH_H_

#include <grpcpp/alarm.h>
#include <grpcpp/support/server_callback.h>

#include <functional>
#include <memory>
#include <mutex>
#include <set>

#include "absl/time/time.h"
#include "echod/admin/v1/admin.pb.h"

namespace echod {

class StatsWatch;

// The streams of WatchStats that are open, so that they can be ended before the
// server shuts down, which waits for them. Thread-safe; outlives its streams.
class StatsWatches {
 public:
  // The figures of this moment. Thread-safe; outlives the streams.
  using ReadStats = std::function<admin::v1::Stats()>;

  // A new stream, for gRPC to run. It destroys itself when gRPC is done with
  // it. `interval` is of a clock that never goes back.
  grpc::ServerWriteReactor<admin::v1::Stats>* Start(ReadStats read_stats,
                                                    absl::Duration interval);

  // Ends all of them, with the figures of this moment and OK, and every one
  // that is started later.
  void Stop();

 private:
  friend class StatsWatch;
  void Remove(StatsWatch* watch);

  std::mutex mutex_;
  bool stopped_ = false;
  std::set<StatsWatch*> open_;
};

}  // namespace echod

#endif  // ADMIN_SERVICE_STATS_WATCH_H_
