// SPDX-License-Identifier: Apache-2.0

#include "echo/base/log_writer.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <ctime>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"

namespace echod {

LogWriter::LogWriter(int fd,
                     absl::AnyInvocable<std::string(std::int64_t)> drop_notice)
    : fd_(fd), drop_notice_(std::move(drop_notice)) {
  // Other threads handle signals.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    thread_ = std::thread([this] { Run(); });
  } catch (const std::system_error& error) {
    thread_error_ = error.code().value();
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

LogWriter::~LogWriter() {
  if (!has_thread()) return;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    ending_ = true;
  }
  added_.notify_one();
  thread_.join();
}

void LogWriter::Write(std::string line) {
  constexpr absl::string_view kCut = "...\n";
  if (line.size() > kMostLineBytes) {
    line.resize(kMostLineBytes - kCut.size());
    absl::StrAppend(&line, kCut);
  }
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    // A shorter line must not overtake a dropped one.
    const bool full = overflow_ > 0 && !waiting_.empty();
    if (full || waiting_bytes_ + line.size() > kMostWaitingBytes) {
      dropped_.fetch_add(1, std::memory_order_relaxed);
      ++overflow_;
      return;
    }
    waiting_bytes_ += line.size();
    waiting_.push_back(std::move(line));
    unwritten_.fetch_add(1, std::memory_order_relaxed);
  }
  if (has_thread()) {
    added_.notify_one();
  } else {
    WriteWaiting();
  }
}

void LogWriter::CountDropped() {
  dropped_.fetch_add(1, std::memory_order_relaxed);
  const std::lock_guard<std::mutex> lock(mutex_);
  ++overflow_;
}

bool LogWriter::Flush(absl::Duration patience) {
  std::unique_lock<std::mutex> lock(mutex_);
  return written_.wait_for(lock, absl::ToChronoMilliseconds(patience),
                           [this] { return unwritten_.load() == 0; });
}

void LogWriter::FlushInSignalHandler() const {
  constexpr timespec kMillisecond = {.tv_sec = 0, .tv_nsec = 1'000'000};
  for (int i = 0; i < 1000 && unwritten_.load() > 0; ++i) {
    nanosleep(&kMillisecond, nullptr);
  }
}

void LogWriter::Run() {
  {
    const std::lock_guard<std::mutex> output(output_mutex_);
    may_block_ = true;
  }
  for (;;) {
    {
      std::unique_lock<std::mutex> lock(mutex_);
      added_.wait(lock, [this] { return !waiting_.empty() || ending_; });
      if (waiting_.empty()) return;
    }
    WriteWaiting();
  }
}

void LogWriter::WriteWaiting() {
  const std::lock_guard<std::mutex> output(output_mutex_);
  std::vector<std::string> lines;
  std::int64_t missing_after = 0;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    lines.swap(waiting_);
    waiting_bytes_ = 0;
    // These were dropped after the queued lines.
    missing_after = std::exchange(overflow_, 0);
  }
  // Each write contains as many whole lines as the kernel writes atomically.
  std::string piece;
  std::int64_t count = 0;
  for (const std::string& line : lines) {
    if (piece.size() + line.size() > kMostLineBytes) {
      WriteLines(piece, std::exchange(count, 0));
      piece.clear();
    }
    piece += line;
    ++count;
  }
  WriteLines(piece, count);
  unreported_ += missing_after;
  if (!refused_) WriteNotice();
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    unwritten_.fetch_sub(static_cast<std::int64_t>(lines.size()),
                         std::memory_order_relaxed);
  }
  written_.notify_all();
}

void LogWriter::WriteLines(absl::string_view lines, std::int64_t count) {
  if (count == 0) return;
  if (WriteNotice() && WriteBytes(lines)) return;
  dropped_.fetch_add(count, std::memory_order_relaxed);
  unreported_ += count;
}

// Writes the pending notice about dropped lines, if any. False if writing
// fails.
bool LogWriter::WriteNotice() {
  if (unreported_ == 0) return true;
  if (!WriteBytes(drop_notice_(unreported_))) return false;
  unreported_ = 0;
  return true;
}

bool LogWriter::WriteBytes(absl::string_view bytes) {
  const std::string whole = torn_ ? absl::StrCat("\n", bytes) : "";
  absl::string_view left = torn_ ? whole : bytes;
  const std::size_t size = left.size();
  while (!left.empty()) {
    pollfd out = {.fd = fd_, .events = POLLOUT, .revents = 0};
    if (!may_block_ && poll(&out, 1, 0) != 1) break;
    const ssize_t written = write(fd_, left.data(), left.size());
    if (written > 0) {
      left.remove_prefix(static_cast<std::size_t>(written));
    } else if (written < 0 && errno == EAGAIN && may_block_) {
      // Another process has made the descriptor non-blocking.
      poll(&out, 1, -1);
    } else if (written == 0 || errno != EINTR) {
      break;
    }
  }
  if (left.size() < size) torn_ = !left.empty();
  refused_ = !left.empty();
  return !refused_;
}

}  // namespace echod
