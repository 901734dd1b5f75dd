// SPDX-License-Identifier: Apache-2.0

#include "echo/session/session_counters.h"

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "echo/base/clock.h"
#include "echo/base/logging.h"
#include "echo/session/connection.h"

namespace echod {

void SessionCounters::OnOpened(const Connection& connection) {
  WorkerStats& stats = *connection.listener().stats;
  stats.accepted.Add(1);
  stats.active.Add(1);
}

void SessionCounters::OnPaused(const Connection& connection) {
  connection.listener().stats->read_pauses.Add(1);
}

void SessionCounters::OnClosed(const Connection& connection,
                               CloseReason reason) {
  WorkerStats& stats = *connection.listener().stats;
  stats.closed[static_cast<std::size_t>(reason)].Add(1);
  stats.active.Add(-1);
  const MonotonicTime now = connection.listener().context->clock().PreciseNow();
  stats.connection_duration.Record(static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(
          now - connection.created())
          .count()));
}

void SessionLog::OnOpened(const Connection& connection) {
  if (!LogsDebug()) return;
  LogDebug(absl::StrCat("connection ", connection.number(), " opened by ",
                        connection.remote().ToString(), " on listener ",
                        connection.listener().id));
}

void SessionLog::OnClosed(const Connection& connection, CloseReason reason) {
  if (!LogsDebug()) return;
  LogDebug(absl::StrCat("connection ", connection.number(),
                        " closed: ", CloseReasonName(reason)));
}

}  // namespace echod
