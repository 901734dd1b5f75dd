// SPDX-License-Identifier: Apache-2.0

#include "echo/server/access_log.h"

#include <pthread.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "echo/base/logging.h"
#include "echo/base/resource_error.h"
#include "echo/control/session_event_queue.h"
#include "echo/server/access_record.h"
#include "echo/server/log_file.h"

namespace echod {
namespace {

// How often a file is checked for having been renamed.
constexpr std::chrono::seconds kCheckInterval{1};

}  // namespace

// What the thread works on.
class AccessLog::Writer {
 public:
  Writer(std::string path, LogFile file)
      : path_(std::move(path)), file_(std::move(file)) {}

  // The thread.
  void Run();

  SessionEventQueue& queue() { return queue_; }

  void Reopen() {
    reopen_.store(true);
    Wake();
  }

  // True if everything was written in time.
  bool Stop(absl::Duration patience) {
    std::unique_lock<std::mutex> lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
    const bool ended = changed_.wait_for(
        lock, absl::ToChronoMilliseconds(patience), [this] { return ended_; });
    abandoned_.store(true);
    return ended;
  }

  std::int64_t dropped() const { return dropped_.load() + queue_.missed(); }
  const std::string& path() const { return path_; }

 private:
  void Wake() {
    const std::lock_guard<std::mutex> lock(mutex_);
    awake_ = true;
    changed_.notify_all();
  }
  // Waits for something to do; false if all is done.
  bool Wait();
  void OpenAnew();
  void WriteQueued();
  void WritePiece(absl::string_view lines, std::int64_t count);
  // Logs when it begins to drop records, and when it has stopped to.
  void ReportDrops(absl::string_view why);

  const std::string path_;
  std::atomic<bool> reopen_{false};
  std::atomic<bool> abandoned_{false};
  std::atomic<std::int64_t> dropped_{0};  // besides those that the queue missed
  SessionEventQueue queue_{kCapacity, [this] { Wake(); }};

  std::mutex mutex_;
  std::condition_variable changed_;
  // Guarded by mutex_.
  bool awake_ = false;
  bool stopping_ = false;
  bool ended_ = false;

  // The thread's.
  LogFile file_;
  bool open_failed_ = false;
  std::string failure_;            // of the last write, or empty
  std::int64_t drops_before_ = 0;  // at the last report
  bool dropping_ = false;
};

bool AccessLog::Writer::Wait() {
  std::unique_lock<std::mutex> lock(mutex_);
  changed_.wait_for(lock, kCheckInterval,
                    [this] { return awake_ || stopping_; });
  if (stopping_ && !awake_) {
    ended_ = true;
    changed_.notify_all();
    return false;
  }
  awake_ = false;
  return true;
}

void AccessLog::Writer::Run() {
  while (Wait()) {
    if (reopen_.exchange(false) || file_.WasReplaced(path_)) OpenAnew();
    WriteQueued();
  }
}

void AccessLog::Writer::OpenAnew() {
  absl::StatusOr<LogFile> file = LogFile::Open(path_);
  if (file.ok()) {
    file_ = *std::move(file);
    open_failed_ = false;
    return;
  }
  reopen_.store(true);  // in a second
  if (std::exchange(open_failed_, true)) return;
  LogWarning(absl::StrCat("the access log goes on with its old file: ",
                          file.status().message()));
}

void AccessLog::Writer::WriteQueued() {
  const SessionEventQueue::Batch batch = queue_.Take();
  failure_.clear();
  std::string piece;
  std::int64_t count = 0;
  for (const SessionEvent& event : batch.events) {
    const std::string line = AccessRecord(event);
    if (count > 0 && piece.size() + line.size() > file_.most_bytes()) {
      WritePiece(piece, std::exchange(count, 0));
      piece.clear();
    }
    piece += line;
    ++count;
  }
  if (count > 0) WritePiece(piece, count);
  if (!batch.events.empty()) {
    ReportDrops(failure_.empty() ? "it does not take them in time" : failure_);
  }
}

void AccessLog::Writer::WritePiece(absl::string_view lines,
                                   std::int64_t count) {
  absl::Status written = absl::CancelledError();
  do {
    written = file_.Write(
        lines, [this] { return abandoned_.load() || reopen_.load(); });
    // A new file may be asked for because the old one is stuck.
    if (!absl::IsCancelled(written) || !reopen_.exchange(false)) break;
    OpenAnew();
  } while (!open_failed_);
  if (written.ok()) return;
  dropped_ += count;
  failure_ = std::string(written.message());
}

void AccessLog::Writer::ReportDrops(absl::string_view why) {
  const std::int64_t drops =
      dropped() - std::exchange(drops_before_, dropped());
  if (drops > 0 && !dropping_) {
    LogWarning(absl::StrCat("the access log ", path_, " drops records: ", why));
  } else if (drops == 0 && dropping_) {
    LogWarning(absl::StrCat("the access log ", path_, " goes on; ",
                            drops_before_,
                            " records have been dropped since the start"));
  }
  dropping_ = drops > 0;
}

absl::StatusOr<std::shared_ptr<AccessLog>> AccessLog::Start(
    const Options& options) {
  absl::StatusOr<LogFile> file = LogFile::Open(options.path);
  if (!file.ok()) return file.status();
  auto writer = std::make_shared<Writer>(options.path, *std::move(file));
  // Other threads handle signals.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  absl::Status started;
  try {
    std::thread([writer] {
      pthread_setname_np(pthread_self(), "access-log");
      writer->Run();
    }).detach();
  } catch (const std::system_error& error) {
    started = ResourceError("start the thread of the access log",
                            error.code().value());
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (!started.ok()) return started;
  return std::shared_ptr<AccessLog>(
      new AccessLog(options.opened, std::move(writer)));
}

AccessLog::AccessLog(bool opened, std::shared_ptr<Writer> writer)
    : opened_(opened), writer_(std::move(writer)) {}

AccessLog::~AccessLog() { writer_->Stop(absl::ZeroDuration()); }

bool AccessLog::Wants(SessionEvent::Kind kind) const {
  return kind == SessionEvent::Kind::kClosed ||
         (opened_ && kind == SessionEvent::Kind::kOpened);
}

void AccessLog::OnEvent(const SessionEvent& event) {
  writer_->queue().Add(event);
}

void AccessLog::Reopen() { writer_->Reopen(); }

void AccessLog::Stop(absl::Duration patience) {
  if (writer_->Stop(patience)) return;
  LogWarning(absl::StrCat("the access log ", writer_->path(),
                          " did not take the last records in time"));
}

std::int64_t AccessLog::dropped() const { return writer_->dropped(); }

}  // namespace echod
