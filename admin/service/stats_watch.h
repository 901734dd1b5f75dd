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

// The open streams of WatchStats, so that they can be ended before the server's
// shutdown, which waits for them. They run on gRPC's threads. Thread-safe;
// outlives its streams.
class StatsWatches {
 public:
  // Returns the current figures. Thread-safe; outlives the streams.
  using ReadStats = std::function<admin::v1::Stats()>;

  // Returns a new stream, for gRPC to run. It destroys itself when gRPC is done
  // with it. `interval` is measured by the monotonic clock.
  grpc::ServerWriteReactor<admin::v1::Stats>* Start(ReadStats read_stats,
                                                    absl::Duration interval);

  // Ends all streams with the current figures and OK, and so every stream that
  // is started later.
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
