// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_BASE_LOG_WRITER_H_
#define ECHO_BASE_LOG_WRITER_H_

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace echod {

// Writes lines to a descriptor on a separate thread, so that a stuck reader (a
// full pipe, a stopped terminal, a hanging disk) blocks only that thread. Lines
// that do not fit in the queue, or that the descriptor refuses, are dropped and
// counted. When writing is possible again, a notice with their number takes
// their place.
//
// Thread-safe, except for destruction.
class LogWriter {
 public:
  // Longer lines are truncated. One byte below PIPE_BUF, so that the kernel
  // writes a line atomically when other processes write to the same pipe, even
  // with a newline in front of it that ends a partially written line.
  static constexpr std::size_t kMostLineBytes = 4095;
  // Maximum size of the queue. As much again can be in the process of being
  // written.
  static constexpr std::size_t kMostWaitingBytes = 256 * 1024;

  // `fd` is borrowed; SIGPIPE and SIGXFSZ must be ignored. `drop_notice`
  // returns the line, with its newline, that replaces the given number of
  // dropped lines; calls to it never overlap. If no thread can be started, the
  // callers of Write write themselves, if poll reports that this will not
  // block.
  LogWriter(int fd, absl::AnyInvocable<std::string(std::int64_t)> drop_notice);
  // Writes all queued lines, however long that takes.
  ~LogWriter();
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;

  // Queues `line`, which includes its newline, or drops it. Does not block.
  void Write(std::string line);

  // Counts a line that was dropped before it reached Write.
  void CountDropped();

  // Waits until all lines queued so far are written or dropped. False if that
  // takes longer than `patience`.
  bool Flush(absl::Duration patience);

  // The same, for a signal handler. Waits for up to a second.
  void FlushInSignalHandler() const;

  bool has_thread() const { return thread_.joinable(); }
  // Why there is no thread: an errno.
  int thread_error() const { return thread_error_; }
  std::int64_t dropped() const {
    return dropped_.load(std::memory_order_relaxed);
  }

 private:
  void Run();
  // Takes and writes all queued lines.
  void WriteWaiting();
  void WriteLines(absl::string_view lines, std::int64_t count);
  bool WriteNotice();
  bool WriteBytes(absl::string_view bytes);

  // Constant after construction.
  const int fd_;
  std::thread thread_;
  int thread_error_ = 0;

  std::atomic<std::int64_t> dropped_{0};
  // Lines queued and neither written nor dropped. Changed under mutex_.
  std::atomic<std::int64_t> unwritten_{0};

  std::mutex mutex_;
  std::condition_variable added_;    // a line is queued, or ending_ is set
  std::condition_variable written_;  // unwritten_ has decreased
  // Guarded by mutex_.
  std::vector<std::string> waiting_;
  std::size_t waiting_bytes_ = 0;
  std::int64_t overflow_ = 0;  // lines dropped after the queued ones
  bool ending_ = false;

  // Held while writing, by the thread or, without a thread, by callers.
  std::mutex output_mutex_;
  // Guarded by output_mutex_.
  bool may_block_ = false;  // true on the thread, false for callers
  absl::AnyInvocable<std::string(std::int64_t)> drop_notice_;
  std::int64_t unreported_ = 0;  // dropped lines without a notice
  bool torn_ = false;            // the last line was written partially
  bool refused_ = false;         // the last write failed
};

}  // namespace echod

#endif  // ECHO_BASE_LOG_WRITER_H_
