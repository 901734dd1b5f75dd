// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_SERVER_ACCESS_LOG_H_
#define ECHO_SERVER_ACCESS_LOG_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "echo/control/session_event.h"

namespace echod {

// Writes a record (see AccessRecord) for each closed connection and, where
// asked for, each opened one, to a file, pipe, device or standard output.
//
// Loops only append events to a bounded queue. A thread formats and writes
// them, the only one that a slow disk or reader blocks; what does not fit in
// the queue meanwhile, or cannot be written, is dropped and counted.
// Thread-safe unless noted.
class AccessLog final : public SessionEventSink {
 public:
  // Events that can wait to be written, at some 200 bytes each.
  static constexpr std::size_t kCapacity = 16 * 1024;

  struct Options {
    std::string path;  // "-": standard output
    bool opened = false;
  };

  // Opens the file, creating it if it is not there, and starts the thread.
  // FAILED_PRECONDITION if the path cannot be written, RESOURCE_EXHAUSTED if
  // the system refuses the thread. SIGPIPE and SIGXFSZ must be ignored.
  static absl::StatusOr<std::shared_ptr<AccessLog>> Start(
      const Options& options);

  // Without Stop, waits for nothing: leaves the thread alone.
  ~AccessLog() override;

  // SessionEventSink.
  bool Wants(SessionEvent::Kind kind) const override;
  void OnEvent(const SessionEvent& event) override;

  // Has the thread open the path anew before it writes the next record. If that
  // fails, it goes on with the old file, and tries again each second. So does a
  // file that has been renamed or deleted, within a second.
  void Reopen();

  // Writes what is queued, and ends the thread; no event may come any more.
  // Gives up after `patience`. Once.
  void Stop(absl::Duration patience);

  // The number of records dropped so far.
  std::int64_t dropped() const;

 private:
  class Writer;

  AccessLog(bool opened, std::shared_ptr<Writer> writer);

  const bool opened_;
  // Shared with the thread, which may be stuck for longer than this lives.
  const std::shared_ptr<Writer> writer_;
};

}  // namespace echod

#endif  // ECHO_SERVER_ACCESS_LOG_H_
