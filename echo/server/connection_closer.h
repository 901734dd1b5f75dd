// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_SERVER_CONNECTION_CLOSER_H_
#define ECHO_SERVER_CONNECTION_CLOSER_H_

#include <memory>
#include <vector>

#include "absl/time/time.h"
#include "echo/base/clock.h"
#include "echo/control/connection_control.h"
#include "echo/control/reply.h"
#include "echo/server/spread_limit.h"
#include "echo/server/worker.h"
#include "echo/session/connection.h"

namespace echod {

// Closes connections for operators, by sweeps of the workers. Thread-safe.
class ConnectionCloser {
 public:
  // `clock` and `workers` outlive it. A client has `drain_timeout` for a
  // graceful close.
  ConnectionCloser(Clock& clock,
                   const std::vector<std::unique_ptr<Worker>>& workers,
                   absl::Duration drain_timeout)
      : clock_(clock), workers_(workers), drain_timeout_(drain_timeout) {}

  // See ConnectionControl::CloseConnections.
  void Close(ConnectionClosing closing, Reply<ClosedConnections> reply);

  // Begins to close one, on its loop's thread. May destroy it.
  void CloseOne(Connection& connection, CloseMode mode) const;

 private:
  class InProgress;
  struct Selected;

  void SweepOn(Worker& worker,
               const std::shared_ptr<InProgress>& progress) const;

  Clock& clock_;
  const std::vector<std::unique_ptr<Worker>>& workers_;
  const absl::Duration drain_timeout_;
  SpreadLimit spread_limit_;
};

}  // namespace echod

#endif  // ECHO_SERVER_CONNECTION_CLOSER_H_
