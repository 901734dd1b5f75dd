// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_DAEMON_PORT_FILE_PUBLISHER_H_
#define ECHO_DAEMON_PORT_FILE_PUBLISHER_H_

#include <functional>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "echo/daemon/port_file.h"

namespace echod {

// Writes the port file whenever the addresses change, on a thread of its own: a
// disk that hangs holds up nobody else. What cannot be written is logged once
// for each change, and tried again until it can. Thread-safe.
class PortFilePublisher {
 public:
  // Called on the publisher's thread; may block.
  using Write = std::function<absl::Status(const BoundAddresses&)>;

  // RESOURCE_EXHAUSTED when there can be no thread.
  static absl::StatusOr<std::unique_ptr<PortFilePublisher>> Start(
      Write write, absl::Duration retry_interval = absl::Seconds(1));

  // Does not wait for a write that is under way.
  ~PortFilePublisher();
  PortFilePublisher(const PortFilePublisher&) = delete;
  PortFilePublisher& operator=(const PortFilePublisher&) = delete;

  // Has `bound` written, unless it is replaced by a later call before. Lets go
  // of `hold` once it has been tried, or replaced.
  void Publish(BoundAddresses bound, std::shared_ptr<const void> hold);

 private:
  struct State;

  explicit PortFilePublisher(std::shared_ptr<State> state);

  const std::shared_ptr<State> state_;  // shared with the thread
};

}  // namespace echod

#endif  // ECHO_DAEMON_PORT_FILE_PUBLISHER_H_
