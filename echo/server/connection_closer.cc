// SPDX-License-Identifier: Apache-2.0

#include "echo/server/connection_closer.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "echo/base/mutex.h"
#include "echo/control/close_reason.h"
#include "echo/control/connection_info.h"
#include "echo/server/operator_jobs.h"
#include "echo/session/live_fields.h"

namespace echod {

// What a worker has selected.
struct ConnectionCloser::Selected {
  ClosedConnections closed;
  std::vector<std::uint64_t> numbers;  // all, ascending; for a spread only
};

// A request that the workers have been asked for. The last of them to finish
// its selection answers. If one stops first, the Reply says so. Thread-safe.
class ConnectionCloser::InProgress {
 public:
  InProgress(ConnectionClosing request, std::shared_ptr<void> slot,
             std::size_t workers, Reply<ClosedConnections> reply)
      : closing(std::move(request)),
        spread_slot(std::move(slot)),
        missing_(workers),
        reply_(std::move(reply)) {}

  const ConnectionClosing closing;
  const std::shared_ptr<void> spread_slot;  // null: no spread

  void Add(ClosedConnections part) {
    ClosedConnections all;
    {
      const MutexLock lock(mutex_);
      all_.count += part.count;
      std::move(part.sample.begin(), part.sample.end(),
                std::back_inserter(all_.sample));
      if (--missing_ > 0) return;
      all = std::move(all_);
    }
    reply_(std::move(all));
  }

 private:
  Mutex mutex_;
  std::size_t missing_ ABSL_GUARDED_BY(mutex_);  // workers
  ClosedConnections all_ ABSL_GUARDED_BY(mutex_);
  Reply<ClosedConnections> reply_;  // for the last one only
};

void ConnectionCloser::Close(ConnectionClosing closing,
                             Reply<ClosedConnections> reply) {
  std::shared_ptr<void> spread_slot;
  if (closing.spread > absl::ZeroDuration() && !closing.validate_only) {
    absl::StatusOr<std::shared_ptr<void>> taken = spread_limit_.Take();
    if (!taken.ok()) return reply(taken.status());
    spread_slot = *std::move(taken);
  }
  const auto progress =
      std::make_shared<InProgress>(std::move(closing), std::move(spread_slot),
                                   workers_.size(), std::move(reply));
  for (const auto& worker : workers_) {
    worker->Serve(OperatorJobs::kAnswerRequest,
                  [this, progress](Worker& self) { SweepOn(self, progress); });
  }
}

void ConnectionCloser::SweepOn(
    Worker& worker, const std::shared_ptr<InProgress>& progress) const {
  const ConnectionClosing& closing = progress->closing;
  const bool spread = progress->spread_slot != nullptr;
  const bool closes_now = !closing.validate_only && !spread;
  const auto selected = std::make_shared<Selected>();
  worker.Start(
      {.select =
           [this, progress](const Connection& connection) {
             const auto& filter = progress->closing.filter;
             return filter == nullptr || filter->Matches(LiveFields(connection),
                                                         clock_.MonotonicNow());
           },
       .select_cost = OperatorJobs::kLook +
                      (closing.filter == nullptr ? 0 : closing.filter->cost()),
       .cost = closes_now ? OperatorJobs::kEndConnection : OperatorJobs::kLook,
       .only_reads = closing.validate_only,
       .abandonment = closing.abandonment,
       .visit =
           [this, progress, selected, spread,
            closes_now](Connection& connection) {
             ClosedConnections& closed = selected->closed;
             ++closed.count;
             if (closed.sample.size() < ClosedConnections::kMostSampled) {
               closed.sample.push_back(
                   connection.Describe(/*with_tcp_info=*/false));
             }
             if (spread) selected->numbers.push_back(connection.number());
             if (closes_now) CloseOne(connection, progress->closing.mode);
           },
       .done =
           [this, &worker, progress, selected, spread] {
             if (spread) {
               // By number, since what a filter says of a connection changes.
               worker.Start({.select =
                                 [selected](const Connection& connection) {
                                   return std::binary_search(
                                       selected->numbers.begin(),
                                       selected->numbers.end(),
                                       connection.number());
                                 },
                             .spread = progress->closing.spread,
                             .cost = OperatorJobs::kEndConnection,
                             .visit =
                                 [this, mode = progress->closing.mode](
                                     Connection& connection) {
                                   CloseOne(connection, mode);
                                 },
                             .done = [slot = progress->spread_slot] {}});
             }
             progress->Add(std::move(selected->closed));
           }});
}

void ConnectionCloser::CloseOne(Connection& connection, CloseMode mode) const {
  if (mode == CloseMode::kReset) {
    connection.Reset(CloseReason::kAdminReset);
  } else {
    connection.Drain(CloseReason::kAdminGraceful,
                     TimeAfter(clock_, drain_timeout_));
  }
}

}  // namespace echod
