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

// Writes lines to a descriptor on a thread of its own, so that a reader that is
// stuck (a full pipe, a stopped terminal, a disk that hangs) blocks that thread
// and nobody else. Lines that find the queue full, or that the descriptor
// refuses, are dropped and counted; a notice with their number takes their
// place as soon as something can be written again.
//
// Thread-safe, destruction apart.
class LogWriter {
 public:
  // A longer line is cut. Not above PIPE_BUF, so that the kernel keeps a line
  // in one piece where other processes write to the same pipe; one byte is left
  // for the end of a line that was cut off half way.
  static constexpr std::size_t kMostLineBytes = 4095;
  // The most that waits, besides as much that is being written.
  static constexpr std::size_t kMostWaitingBytes = 256 * 1024;

  // `fd` is borrowed; SIGPIPE and SIGXFSZ must be ignored. `drop_notice` makes
  // the line, with its end, that stands for so many dropped ones; it is never
  // called twice at a time. Where no thread can be had, the callers write, as
  // far as poll says that it will not block.
  LogWriter(int fd, absl::AnyInvocable<std::string(std::int64_t)> drop_notice);
  // Writes what waits, however long that takes.
  ~LogWriter();
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;

  // Adds `line`, which includes its end, or drops it. Does not wait.
  void Write(std::string line);

  // Counts a line that did not get as far as Write.
  void CountDropped();

  // Waits until everything added before is written or dropped. False when that
  // takes longer than `patience`.
  bool Flush(absl::Duration patience);

  // The same for a signal handler, for up to a second.
  void FlushInSignalHandler() const;

  bool has_thread() const { return thread_.joinable(); }
  // Why there is none: an errno.
  int thread_error() const { return thread_error_; }
  std::int64_t dropped() const {
    return dropped_.load(std::memory_order_relaxed);
  }

 private:
  void Run();
  // Takes everything that waits, and writes it.
  void WriteWaiting();
  void WriteLines(absl::string_view lines, std::int64_t count);
  bool WriteNotice();
  bool WriteBytes(absl::string_view bytes);

  // Constant after construction.
  const int fd_;
  std::thread thread_;
  int thread_error_ = 0;

  std::atomic<std::int64_t> dropped_{0};
  // Added, and neither written nor dropped. Written under mutex_.
  std::atomic<std::int64_t> unwritten_{0};

  std::mutex mutex_;
  std::condition_variable added_;    // something waits, or the end has come
  std::condition_variable written_;  // unwritten_ is lower
  // Guarded by mutex_.
  std::vector<std::string> waiting_;
  std::size_t waiting_bytes_ = 0;
  std::int64_t overflow_ = 0;  // dropped after those that wait
  bool ending_ = false;

  // Held by whoever writes: the thread, or the callers where there is none.
  std::mutex output_mutex_;
  // Guarded by output_mutex_.
  bool may_block_ = false;  // the thread writes, and not the callers
  absl::AnyInvocable<std::string(std::int64_t)> drop_notice_;
  std::int64_t unreported_ = 0;  // dropped, and no notice says so yet
  bool torn_ = false;            // the last line was cut off half way
  bool refused_ = false;         // the last write failed
};

}  // namespace echod

#endif  // ECHO_BASE_LOG_WRITER_H_
