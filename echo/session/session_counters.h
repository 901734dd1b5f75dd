// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_SESSION_SESSION_COUNTERS_H_
#define ECHO_SESSION_SESSION_COUNTERS_H_

#include "echo/control/close_reason.h"
#include "echo/session/session_observer.h"

namespace echod {

// Counts what becomes of connections in the WorkerStats of their listener.
class SessionCounters final : public SessionObserver {
 public:
  void OnOpened(const Connection& connection) override;
  void OnPaused(const Connection& connection) override;
  void OnClosed(const Connection& connection, CloseReason reason) override;
};

// Logs them, at level debug.
class SessionLog final : public SessionObserver {
 public:
  void OnOpened(const Connection& connection) override;
  void OnClosed(const Connection& connection, CloseReason reason) override;
};

}  // namespace echod

#endif  // ECHO_SESSION_SESSION_COUNTERS_H_
