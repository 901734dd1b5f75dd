// SPDX-License-Identifier: Apache-2.0

#ifndef ADMIN_SERVICE_CONNECTION_WATCH_STREAM_H_
#define ADMIN_SERVICE_CONNECTION_WATCH_STREAM_H_

#include <grpcpp/support/server_callback.h>

#include <cstddef>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "absl/base/thread_annotations.h"
#include "admin/service/answer_thread.h"
#include "echo/base/mutex.h"
#include "echo/control/connection_control.h"
#include "echo/control/connection_fields.h"
#include "echod/admin/v1/admin.pb.h"

namespace echod {

class ConnectionWatchStream;

// The open streams of WatchConnections, so that they can be limited, and ended
// before the server's shutdown, which waits for them. Thread-safe; outlives its
// streams.
class ConnectionWatches {
 public:
  static constexpr std::size_t kMostOfClient = 4;
  static constexpr std::size_t kMost = 16;
  // Of the filters of open streams, together. Each event on a worker evaluates
  // all filters.
  static constexpr int kMostComparisonsOfClient = 128;
  static constexpr int kMostComparisons = 256;

  struct Options {
    std::string client;
    std::shared_ptr<const ConnectionPredicate> filter;  // null: every event
    int comparisons = 0;                                // of the filter
    bool pauses = false;
  };

  // `connections` and `answers` outlive the streams.
  ConnectionWatches(ConnectionControl& connections, AnswerThread& answers)
      : connections_(connections), answers_(answers) {}

  // Returns a new stream, for gRPC to run, which destroys itself when gRPC is
  // done with it. RESOURCE_EXHAUSTED with the reason TOO_MANY_WATCHES or
  // WATCH_FILTERS_TOO_LONG.
  absl::StatusOr<grpc::ServerWriteReactor<admin::v1::ConnectionEvent>*> Start(
      Options options);

  // Ends all streams with OK after what has happened until now, and so every
  // stream that is started later.
  void Stop();

 private:
  friend class ConnectionWatchStream;

  struct Use {
    std::size_t watches = 0;
    int comparisons = 0;
  };
  // Counts one watch of a client while it is held, which is as long as the data
  // plane knows the watch.
  struct Places {
    Mutex mutex;
    std::map<std::string, Use> by_client ABSL_GUARDED_BY(mutex);
    Use all ABSL_GUARDED_BY(mutex);
  };
  absl::StatusOr<std::shared_ptr<const void>> TakePlace(const Options& options);
  void Remove(const std::shared_ptr<ConnectionWatchStream>& stream);

  ConnectionControl& connections_;
  AnswerThread& answers_;
  const std::shared_ptr<Places> places_ = std::make_shared<Places>();

  Mutex mutex_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::set<std::shared_ptr<ConnectionWatchStream>> open_
      ABSL_GUARDED_BY(mutex_);
};

}  // namespace echod

#endif  // ADMIN_SERVICE_CONNECTION_WATCH_STREAM_H_
