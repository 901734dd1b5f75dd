// SPDX-License-Identifier: Apache-2.0

#include "echo/server/connection_directory.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "echo/control/control_error.h"

namespace echod {

// A list that the workers have been asked for. The last of them to answer hands
// their parts over. When a worker ends before it answers, its job dies, the
// last of them takes the list along, and the Reply says so. Thread-safe.
class ConnectionDirectory::PageInProgress {
 public:
  PageInProgress(ConnectionDirectory& directory, const ConnectionQuery& query,
                 Reply<ConnectionParts> reply)
      : directory_(directory),
        counts_matches_(query.filter != nullptr && query.count_matches),
        missing_(directory.workers_.size()),
        reply_(std::move(reply)) {
    parts_.workers.reserve(directory_.workers_.size());
    parts_.limit = static_cast<std::size_t>(query.limit);
    if (query.filter != nullptr) return;
    for (const auto& worker : directory_.workers_) {
      parts_.total += worker->load();
    }
  }
  PageInProgress(const PageInProgress&) = delete;
  PageInProgress& operator=(const PageInProgress&) = delete;
  ~PageInProgress() { directory_.OnListEnded(); }

  void Add(ConnectionPart part) {
    ConnectionParts all;
    {
      const MutexLock lock(mutex_);
      if (counts_matches_) parts_.total += part.matches;
      parts_.workers.push_back(std::move(part));
      if (--missing_ > 0) return;
      all = std::move(parts_);
    }
    reply_(std::move(all));
  }

 private:
  ConnectionDirectory& directory_;
  const bool counts_matches_;

  Mutex mutex_;
  std::size_t missing_ ABSL_GUARDED_BY(mutex_);  // workers
  ConnectionParts parts_ ABSL_GUARDED_BY(mutex_);
  Reply<ConnectionParts> reply_;  // for the last one only
};

void ConnectionDirectory::List(const ConnectionQuery& query,
                               Reply<ConnectionParts> reply) {
  {
    const MutexLock lock(mutex_);
    waiting_.push_back({.query = query, .reply = std::move(reply)});
  }
  BeginLists();
}

void ConnectionDirectory::BeginLists() {
  mutex_.Lock();
  // One at a time: where the workers have stopped, a list ends within Begin,
  // and must not begin the next from there, and so on.
  if (!beginning_) {
    beginning_ = true;
    while (lists_ < kMostLists && !waiting_.empty()) {
      ++lists_;
      WaitingList list = std::move(waiting_.front());
      waiting_.pop_front();
      mutex_.Unlock();
      Begin(std::move(list));
      mutex_.Lock();
    }
    beginning_ = false;
  }
  mutex_.Unlock();
}

void ConnectionDirectory::Begin(WaitingList list) {
  const auto page = std::make_shared<PageInProgress>(*this, list.query,
                                                     std::move(list.reply));
  for (const auto& worker : workers_) {
    worker->List(list.query,
                 [page](ConnectionPart found) { page->Add(std::move(found)); });
  }
}

void ConnectionDirectory::OnListEnded() {
  {
    const MutexLock lock(mutex_);
    --lists_;
  }
  BeginLists();
}

void ConnectionDirectory::Visit(std::uint64_t number, Visitor visit,
                                Reply<ConnectionInfo> reply) {
  VisitOn(0, number, std::move(visit), std::move(reply));
}

void ConnectionDirectory::VisitOn(std::size_t worker, std::uint64_t number,
                                  Visitor visit, Reply<ConnectionInfo> reply) {
  if (worker == workers_.size()) {
    reply(ControlError(
        absl::StatusCode::kNotFound,
        absl::StrCat("there is no connection ", number, "; it may have closed"),
        {.reason = "CONNECTION_NOT_FOUND", .field = "", .errno_name = ""}));
    return;
  }
  workers_[worker]->Serve(OperatorJobs::kAnswerRequest,
                          [this, worker, number, visit = std::move(visit),
                           reply = std::move(reply)](Worker& self) mutable {
                            Connection* const connection = self.Find(number);
                            if (connection != nullptr) {
                              reply(visit(*connection));
                            } else {
                              VisitOn(worker + 1, number, std::move(visit),
                                      std::move(reply));
                            }
                          });
}

}  // namespace echod
