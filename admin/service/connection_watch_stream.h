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

  struct Options {
    std::string client;
    std::shared_ptr<const ConnectionPredicate> filter;  // null: every event
    bool pauses = false;
  };

  // `connections` and `answers` outlive the streams.
  ConnectionWatches(ConnectionControl& connections, AnswerThread& answers)
      : connections_(connections), answers_(answers) {}

  // Returns a new stream, for gRPC to run; null if there are too many. It
  // destroys itself when gRPC is done with it.
  grpc::ServerWriteReactor<admin::v1::ConnectionEvent>* Start(Options options);

  // Ends all streams with OK after what has happened until now, and so every
  // stream that is started later.
  void Stop();

 private:
  friend class ConnectionWatchStream;

  // Counts one watch of a client while it is held, which is as long as the data
  // plane knows the watch.
  struct Places {
    Mutex mutex;
    std::map<std::string, std::size_t> by_client ABSL_GUARDED_BY(mutex);
    std::size_t all ABSL_GUARDED_BY(mutex) = 0;
  };
  std::shared_ptr<const void> TakePlace(const std::string& client);
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
