// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_SERVER_CONNECTION_DIRECTORY_H_
#define ECHO_SERVER_CONNECTION_DIRECTORY_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "echo/base/mutex.h"
#include "echo/control/connection_control.h"
#include "echo/control/connection_info.h"
#include "echo/control/reply.h"
#include "echo/server/worker.h"

namespace echod {

// Finds connections on whichever worker they live: asks the workers and
// collects their answers. There is no shared table, and every request runs as a
// job in a worker's OperatorJobs, so none delays a loop. Thread-safe.
//
// A list is answered on the loop of the worker that answers last. That loop
// only moves the parts into the Reply; the consumer of the Reply merges them
// into a page (MergeParts) on its own thread.
class ConnectionDirectory {
 public:
  // `workers` outlives the directory and does not change. All workers have been
  // stopped and joined when the directory is destroyed.
  explicit ConnectionDirectory(
      const std::vector<std::unique_ptr<Worker>>& workers)
      : workers_(workers) {}

  // Collects a few lists at a time, since each holds a page per worker; further
  // lists wait in order.
  void List(const ConnectionQuery& query, Reply<ConnectionParts> reply);

  // Calls `visit` with the connection, on its worker, and answers with the
  // result; NOT_FOUND if there is no such connection.
  using Visitor = std::function<ConnectionInfo(Connection&)>;
  void Visit(std::uint64_t number, Visitor visit, Reply<ConnectionInfo> reply);

  // The number of lists that are collected at a time.
  static constexpr int kMostLists = 8;

 private:
  class PageInProgress;
  struct WaitingList {
    ConnectionQuery query;
    Reply<ConnectionParts> reply;
  };

  void BeginLists();
  void Begin(WaitingList list);
  void OnListEnded();
  void VisitOn(std::size_t worker, std::uint64_t number, Visitor visit,
               Reply<ConnectionInfo> reply);

  const std::vector<std::unique_ptr<Worker>>& workers_;

  Mutex mutex_;
  std::deque<WaitingList> waiting_ ABSL_GUARDED_BY(mutex_);
  int lists_ ABSL_GUARDED_BY(mutex_) = 0;  // in progress
  bool beginning_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace echod

#endif  // ECHO_SERVER_CONNECTION_DIRECTORY_H_
