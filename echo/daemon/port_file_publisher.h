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

// Writes the port file whenever the addresses change, on its own thread, so
// that a disk that hangs blocks nothing else. A failure is logged once for each
// change, and the write is retried until it succeeds. Thread-safe.
class PortFilePublisher {
 public:
  // Called on the publisher's thread; may block.
  using Write = std::function<absl::Status(const BoundAddresses&)>;

  // RESOURCE_EXHAUSTED if the system refuses the thread.
  static absl::StatusOr<std::unique_ptr<PortFilePublisher>> Start(
      Write write, absl::Duration retry_interval = absl::Seconds(1));

  // Does not wait for a write in progress.
  ~PortFilePublisher();
  PortFilePublisher(const PortFilePublisher&) = delete;
  PortFilePublisher& operator=(const PortFilePublisher&) = delete;

  // Schedules a write of `bound`, which a later call may replace before it
  // begins. Releases `hold` after the first attempt, or when `bound` is
  // replaced.
  void Publish(BoundAddresses bound, std::shared_ptr<const void> hold);

 private:
  struct State;

  explicit PortFilePublisher(std::shared_ptr<State> state);

  const std::shared_ptr<State> state_;  // shared with the thread
};

}  // namespace echod

#endif  // ECHO_DAEMON_PORT_FILE_PUBLISHER_H_
