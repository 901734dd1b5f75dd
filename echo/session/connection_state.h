// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_SESSION_CONNECTION_STATE_H_
#define ECHO_SESSION_CONNECTION_STATE_H_

#include <cstdint>

#include "echo/control/connection_info.h"

// The states of a connection, from its first byte to its end, and the one table
// of how it moves between them. Pure values.

namespace echod {

enum class ConnectionState : std::uint8_t {
  // Both sides send.
  kOpen,
  // The peer has closed its side. It still gets its echo; then the connection
  // closes. There is no hurry.
  kHalfClosed,
  // The server ends the connection. It still answers the input that had arrived
  // when the drain began, and lets the client complete a line.
  kDraining,
  // The last answer waits to be sent. Input is read and discarded, because a
  // peer that is blocked in a write would never read its echo.
  kFlushing,
  // As kFlushing, where the peer has closed its side.
  kFinishing,
  // The FIN has been sent. The peer's kernel has not confirmed everything yet;
  // input is discarded.
  kDelivering,
  // As kDelivering, where the peer has closed its side.
  kConfirming,
  // The peer's kernel has everything, including the FIN. The connection waits a
  // moment for the peer's FIN, and discards input: if it closed the socket now,
  // a reset would answer late bytes, and could overtake unread echo.
  kLingering,
  // Over; the connection is about to be destroyed.
  kEnded,
};

enum class ConnectionEvent : std::uint8_t {
  kEndOfFile,    // the peer has closed its side
  kDrain,        // the server wants the connection to end
  kLineTooLong,  // the client has broken the protocol, and has been told so
  kAnswered,     // everything that a drain still had to answer is answered
  kFlushed,      // the kernel has accepted all output
  kConfirmed,    // the peer's kernel has confirmed all that was sent
  kLingerOver,   // the time to wait for the peer's FIN is over
  kCut,          // a reset, a failure, a deadline, an idle timeout
};

struct ConnectionTransition {
  ConnectionState from;
  ConnectionEvent event;
  ConnectionState to;
};

// Besides, kCut leads from every state to kEnded. Any other event leaves the
// state as it is.
inline constexpr ConnectionTransition kConnectionTransitions[] = {
    {ConnectionState::kOpen, ConnectionEvent::kEndOfFile,
     ConnectionState::kHalfClosed},
    {ConnectionState::kOpen, ConnectionEvent::kDrain,
     ConnectionState::kDraining},
    {ConnectionState::kOpen, ConnectionEvent::kLineTooLong,
     ConnectionState::kFlushing},

    {ConnectionState::kHalfClosed, ConnectionEvent::kDrain,
     ConnectionState::kFinishing},
    {ConnectionState::kHalfClosed, ConnectionEvent::kFlushed,
     ConnectionState::kEnded},

    {ConnectionState::kDraining, ConnectionEvent::kAnswered,
     ConnectionState::kFlushing},
    {ConnectionState::kDraining, ConnectionEvent::kEndOfFile,
     ConnectionState::kFinishing},
    {ConnectionState::kDraining, ConnectionEvent::kLineTooLong,
     ConnectionState::kFlushing},

    {ConnectionState::kFlushing, ConnectionEvent::kEndOfFile,
     ConnectionState::kFinishing},
    {ConnectionState::kFlushing, ConnectionEvent::kFlushed,
     ConnectionState::kDelivering},

    // After a close the kernel still delivers what it holds, unless the network
    // ends with the process, as in a container. So a connection that a drain
    // waits for stays open until the peer's kernel has everything.
    {ConnectionState::kFinishing, ConnectionEvent::kFlushed,
     ConnectionState::kConfirming},
    {ConnectionState::kFinishing, ConnectionEvent::kConfirmed,
     ConnectionState::kEnded},

    {ConnectionState::kDelivering, ConnectionEvent::kEndOfFile,
     ConnectionState::kConfirming},
    {ConnectionState::kDelivering, ConnectionEvent::kConfirmed,
     ConnectionState::kLingering},

    {ConnectionState::kConfirming, ConnectionEvent::kConfirmed,
     ConnectionState::kEnded},

    {ConnectionState::kLingering, ConnectionEvent::kEndOfFile,
     ConnectionState::kEnded},
    {ConnectionState::kLingering, ConnectionEvent::kLingerOver,
     ConnectionState::kEnded},
};

constexpr ConnectionState Next(ConnectionState state, ConnectionEvent event) {
  if (event == ConnectionEvent::kCut) return ConnectionState::kEnded;
  for (const ConnectionTransition& each : kConnectionTransitions) {
    if (each.from == state && each.event == event) return each.to;
  }
  return state;
}

// Whether the server is ending the connection. It then has a deadline for that;
// idle timeout, stall timeout and maximum age no longer apply.
constexpr bool IsEnding(ConnectionState state) {
  return state != ConnectionState::kOpen &&
         state != ConnectionState::kHalfClosed;
}

// Whether input is answered.
constexpr bool IsAnswering(ConnectionState state) {
  return state == ConnectionState::kOpen || state == ConnectionState::kDraining;
}

// Whether the FIN has been sent.
constexpr bool HasSentFin(ConnectionState state) {
  return state == ConnectionState::kDelivering ||
         state == ConnectionState::kConfirming ||
         state == ConnectionState::kLingering;
}

// The state as operators see it.
constexpr ConnectionInfo::State PublicState(ConnectionState state) {
  switch (state) {
    case ConnectionState::kOpen:
      return ConnectionInfo::State::kOpen;
    case ConnectionState::kHalfClosed:
    case ConnectionState::kFinishing:
      return ConnectionInfo::State::kRemoteHalfClosed;
    case ConnectionState::kDraining:
      return ConnectionInfo::State::kDraining;
    case ConnectionState::kFlushing:
    case ConnectionState::kDelivering:
    case ConnectionState::kConfirming:
    case ConnectionState::kLingering:
    case ConnectionState::kEnded:
      break;
  }
  return ConnectionInfo::State::kClosing;
}

}  // namespace echod

#endif  // ECHO_SESSION_CONNECTION_STATE_H_
