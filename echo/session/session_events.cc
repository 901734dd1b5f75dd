// SPDX-License-Identifier: Apache-2.0

#include "echo/session/session_events.h"

#include <algorithm>
#include <utility>

#include "echo/session/connection.h"
#include "echo/session/connection_context.h"

namespace echod {

void SessionEvents::Add(std::shared_ptr<SessionEventSink> sink) {
  sinks_.push_back(std::move(sink));
}

void SessionEvents::Remove(const SessionEventSink* sink) {
  std::erase_if(sinks_,
                [sink](const auto& each) { return each.get() == sink; });
}

void SessionEvents::OnOpened(const Connection& connection) {
  if (!sinks_.empty()) Notify(SessionEvent::Kind::kOpened, connection);
}

void SessionEvents::OnPaused(const Connection& connection) {
  if (!sinks_.empty()) Notify(SessionEvent::Kind::kPaused, connection);
}

void SessionEvents::OnResumed(const Connection& connection) {
  if (!sinks_.empty()) Notify(SessionEvent::Kind::kResumed, connection);
}

void SessionEvents::OnClosed(const Connection& connection, CloseReason reason) {
  if (!sinks_.empty()) Notify(SessionEvent::Kind::kClosed, connection, reason);
}

void SessionEvents::Notify(SessionEvent::Kind kind,
                           const Connection& connection, CloseReason reason) {
  const auto wants = [kind](const auto& sink) { return sink->Wants(kind); };
  if (std::none_of(sinks_.begin(), sinks_.end(), wants)) return;
  const SessionEvent event = {
      .kind = kind,
      .reason = reason,
      .time = connection.listener().context->clock().MonotonicNow(),
      .connection = connection.Values()};
  for (const auto& sink : sinks_) {
    if (sink->Wants(kind)) sink->OnEvent(event);
  }
}

}  // namespace echod
