// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_SESSION_SESSION_EVENTS_H_
#define ECHO_SESSION_SESSION_EVENTS_H_

#include <memory>
#include <vector>

#include "echo/control/close_reason.h"
#include "echo/control/session_event.h"
#include "echo/session/session_observer.h"

namespace echod {

// Passes the events of a worker's connections on to sinks. Costs one branch per
// event while there are none. Loop thread only.
class SessionEvents final : public SessionObserver {
 public:
  void Add(std::shared_ptr<SessionEventSink> sink);
  void Remove(const SessionEventSink* sink);

  // SessionObserver.
  void OnOpened(const Connection& connection) override;
  void OnPaused(const Connection& connection) override;
  void OnResumed(const Connection& connection) override;
  void OnClosed(const Connection& connection, CloseReason reason) override;

 private:
  void Notify(SessionEvent::Kind kind, const Connection& connection,
              CloseReason reason = CloseReason::kPeerClosed);

  std::vector<std::shared_ptr<SessionEventSink>> sinks_;
};

}  // namespace echod

#endif  // ECHO_SESSION_SESSION_EVENTS_H_
