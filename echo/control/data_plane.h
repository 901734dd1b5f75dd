// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_CONTROL_DATA_PLANE_H_
#define ECHO_CONTROL_DATA_PLANE_H_

#include "echo/control/connection_control.h"
#include "echo/control/listener_control.h"
#include "echo/control/server_control.h"

namespace echod {

// The data plane as the admin plane sees it: the three interfaces at which the
// planes meet. They know neither gRPC nor libevent. Borrowed; copied freely.
//
// All three are thread-safe: any method may be called from any thread, as long
// as the object lives. A method that takes a Reply returns immediately. The
// answer comes later, on a loop's thread, or before the method returns if there
// is nothing to wait for; see Reply for what its callback may do. Every Reply
// is answered exactly once, with UNAVAILABLE if the server stops first. Errors
// carry an ErrorDetail (see control_error.h).
struct DataPlane {
  ListenerControl& listeners;
  ConnectionControl& connections;
  ServerControl& server;
};

}  // namespace echod

#endif  // ECHO_CONTROL_DATA_PLANE_H_
