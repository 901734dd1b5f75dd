// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_SESSION_SESSION_OBSERVER_H_
#define ECHO_SESSION_SESSION_OBSERVER_H_

#include "echo/control/close_reason.h"

namespace echod {

class Connection;

// Derive from it to learn what becomes of a worker's connections. For each
// there is one OnOpened, any number of OnPaused and OnResumed in turns, and one
// OnClosed. Called on the worker's loop, from within the connection: only look
// at it. Register with ConnectionContext.
class SessionObserver {
 public:
  // The connection is the worker's, and about to read.
  virtual void OnOpened(const Connection& /*connection*/) {}
  // Its output has reached the limit, so it does not read.
  virtual void OnPaused(const Connection& /*connection*/) {}
  // It reads again.
  virtual void OnResumed(const Connection& /*connection*/) {}
  // It has ended, and will be destroyed; its figures are final.
  virtual void OnClosed(const Connection& /*connection*/,
                        CloseReason /*reason*/) {}

 protected:
  ~SessionObserver() = default;
};

}  // namespace echod

#endif  // ECHO_SESSION_SESSION_OBSERVER_H_
