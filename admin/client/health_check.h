// SPDX-License-Identifier: Apache-2.0

#ifndef ADMIN_CLIENT_HEALTH_CHECK_H_
#define ADMIN_CLIENT_HEALTH_CHECK_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "echo/base/socket_address.h"

namespace echod {

// What to ask grpc.health.v1.Health.
struct HealthQuestion {
  // Of the server. An unspecified host, such as [::], is this machine.
  SocketAddress address;
  std::string service;                        // empty: the server as a whole
  absl::Duration timeout = absl::Seconds(3);  // for connecting and the answer
};

// Asks, and returns whether the service is SERVING. An error says why there is
// no answer, and what to do. Blocks the calling thread for at most the timeout;
// not for an event loop's thread.
absl::StatusOr<bool> AskHealth(const HealthQuestion& question);

}  // namespace echod

#endif  // ADMIN_CLIENT_HEALTH_CHECK_H_
