// SPDX-License-Identifier: Apache-2.0

#include "echo/testing/test_session.h"

#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "echo/base/check.h"

namespace echod {
namespace {

constexpr std::int64_t kMaxLineBytes = 16;
constexpr std::size_t kWideOpen = 1 << 20;

// Longer than the states are polled, shorter than any deadline.
constexpr absl::Duration kPoll = absl::Milliseconds(100);

std::vector<ConnectionEvent> PathTo(ConnectionState state) {
  std::map<ConnectionState, std::vector<ConnectionEvent>> paths = {
      {ConnectionState::kOpen, {}}};
  std::deque<ConnectionState> next = {ConnectionState::kOpen};
  while (!next.empty()) {
    const ConnectionState from = next.front();
    next.pop_front();
    for (const ConnectionTransition& each : kConnectionTransitions) {
      if (each.from != from || paths.contains(each.to)) continue;
      paths[each.to] = paths[from];
      paths[each.to].push_back(each.event);
      next.push_back(each.to);
    }
  }
  ECHOD_CHECK(paths.contains(state));
  return paths[state];
}

}  // namespace

ListenerSettings WalkSettings() {
  return {.mode = EchoMode::kLine, .max_line_bytes = kMaxLineBytes};
}

void WalkTo(TestSession& session, ConnectionState state) {
  session.peer.window = 0;
  session.peer.unconfirmed = 1;
  // So that a drain has something to wait for.
  session.peer.Send("half");
  for (const ConnectionEvent event : PathTo(state)) Apply(session, event);
}

void Apply(TestSession& session, ConnectionEvent event) {
  FakePeer& peer = session.peer;
  switch (event) {
    case ConnectionEvent::kEndOfFile:
      return peer.Close();
    case ConnectionEvent::kDrain:
      return session.Drain();
    case ConnectionEvent::kLineTooLong:
      return peer.Send(std::string(kMaxLineBytes + 2, 'x'));
    case ConnectionEvent::kAnswered:
      return peer.Send("\n");
    case ConnectionEvent::kFlushed:
      return peer.Open(kWideOpen);
    case ConnectionEvent::kConfirmed:
      peer.unconfirmed = 0;
      // There the peer's kernel is asked only when all has been sent.
      if (session.state() == ConnectionState::kFinishing) peer.Open(kWideOpen);
      return session.Advance(kPoll);
    case ConnectionEvent::kLingerOver:
      return session.Advance(absl::Seconds(2));
    case ConnectionEvent::kCut:
      if (session.connection() != nullptr) {
        session.connection()->Reset(CloseReason::kAdminReset);
      }
      return;
  }
}

std::string Name(ConnectionState state) {
  constexpr const char* kNames[] = {"open",       "half closed", "draining",
                                    "flushing",   "finishing",   "delivering",
                                    "confirming", "lingering",   "ended"};
  return kNames[static_cast<std::size_t>(state)];
}

std::string Name(ConnectionEvent event) {
  constexpr const char* kNames[] = {"end of file", "drain",   "line too long",
                                    "answered",    "flushed", "confirmed",
                                    "linger over", "cut"};
  return kNames[static_cast<std::size_t>(event)];
}

}  // namespace echod
