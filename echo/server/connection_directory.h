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

// Finds connections wherever they live: asks the workers, and collects their
// answers. No table is shared, and what a request asks of a worker is work of
// its OperatorJobs, so nothing here holds a loop up. Thread-safe.
//
// A list is answered on the loop of the worker that was the last to answer. All
// that happens there is that the parts are moved into the Reply; the consumer
// of the Reply makes a page of them (MergeParts) on a thread of its own.
class ConnectionDirectory {
 public:
  // The vector outlives the directory and does not change; when the directory
  // dies, every worker has been stopped and joined.
  explicit ConnectionDirectory(
      const std::vector<std::unique_ptr<Worker>>& workers)
      : workers_(workers) {}

  // A few lists are collected at a time, since each holds a page for every
  // worker; the others wait, in the order in which they came.
  void List(const ConnectionQuery& query, Reply<ConnectionParts> reply);

  // Calls `visit` with the connection, on its worker, and answers with what it
  // returns; NOT_FOUND when there is no such connection.
  using Visitor = std::function<ConnectionInfo(Connection&)>;
  void Visit(std::uint64_t number, Visitor visit, Reply<ConnectionInfo> reply);

  // How many lists are collected at a time.
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
