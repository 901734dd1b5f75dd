// SPDX-License-Identifier: Apache-2.0

#include "echo/daemon/config_reloader.h"

#include <pthread.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <future>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "echo/base/logging.h"
#include "echo/base/resource_error.h"
#include "echo/config/config_file.h"
#include "echo/config/config_problem.h"
#include "echo/control/audit_record.h"
#include "echo/control/control_error.h"
#include "echo/control/reply.h"
#include "echo/control/settings_table.h"
#include "echo/daemon/config_difference.h"

namespace echod {
namespace {

using Infos = std::vector<ListenerInfo>;

// How often changes by others may get in the way of one reload.
constexpr int kMostTries = 20;

// Whether a repeated reload, which sees the listeners as they are by then, may
// succeed. A port that a listener has just left is taken for a moment.
bool MayPass(const absl::Status& error) {
  static constexpr absl::string_view kReasons[] = {
      "ETAG_MISMATCH", "LISTENER_NOT_FOUND", "LISTENER_EXISTS",
      "LISTENER_DELETING", "ADDRESS_IN_USE"};
  const std::string reason = GetErrorDetail(error).reason;
  return std::find(std::begin(kReasons), std::end(kReasons), reason) !=
         std::end(kReasons);
}

// Differs when the file, or what a symbolic link in its path leads to, has been
// replaced or written.
std::string FingerprintOf(const std::string& path) {
  struct stat file = {};
  if (stat(path.c_str(), &file) != 0) return absl::StrCat("error ", errno);
  return absl::StrCat(file.st_dev, " ", file.st_ino, " ", file.st_size, " ",
                      file.st_mtim.tv_sec, ".", file.st_mtim.tv_nsec, " ",
                      file.st_ctim.tv_sec, ".", file.st_ctim.tv_nsec);
}

bool CanChange(const std::string& flag) {
  if (flag == kListenFlag || flag == "log_level") return true;
  const auto settings = SettingsTable();
  return std::any_of(settings.begin(), settings.end(),
                     [&](const Setting& each) { return each.name == flag; });
}

// The port that a change takes; 0: none that is known.
int PortOf(const ListenerChange& change) {
  if (const auto* creation = std::get_if<ListenerCreation>(&change)) {
    return creation->port;
  }
  const auto* const update = std::get_if<ListenerUpdate>(&change);
  return update != nullptr ? update->port.value_or(0) : 0;
}

// The index in a field such as `changes[1]`.
std::optional<std::size_t> IndexIn(const std::string& field) {
  absl::string_view text = field;
  std::size_t index = 0;
  if (!absl::ConsumePrefix(&text, "changes[") ||
      !absl::ConsumeSuffix(&text, "]") || !absl::SimpleAtoi(text, &index)) {
    return std::nullopt;
  }
  return index;
}

}  // namespace

// What the thread works on. Outlives the reloader while a disk hangs.
class ConfigReloader::Thread {
 public:
  explicit Thread(Options options)
      : loader_(std::move(options.loader)),
        current_(std::move(options.config)),
        watch_(options.watch),
        watch_interval_(absl::ToChronoNanoseconds(options.watch_interval)),
        retry_interval_(absl::ToChronoNanoseconds(options.retry_interval)),
        listeners_(options.listeners),
        reloads_(options.reloads),
        clock_(options.clock),
        on_reloaded_(std::move(options.on_reloaded)) {}

  void Run();
  void Ask();
  void Stop();

 private:
  // Waits for a reason to reload, and returns false if it is the end.
  bool WaitForReason();
  void Reload();
  absl::Status Apply(const DaemonConfig& wanted);
  absl::Status CheckFlags(const DaemonConfig& wanted) const;
  absl::StatusOr<Infos> ListListeners();
  absl::StatusOr<Infos> Change(std::vector<ListenerChange> changes);
  // The error of a change, as a mistake in the file.
  absl::Status Explain(const absl::Status& error,
                       const std::vector<ListenerChange>& changes,
                       const Infos& before) const;
  void LogChanges(const std::vector<ListenerChange>& changes,
                  const Infos& before, const Infos& after) const;
  // Returns false if the thread is to end.
  bool Pause(std::chrono::nanoseconds time);
  void Report(const absl::Status& outcome);
  const std::string& path() const { return current_.config_file; }

  // The thread's own.
  const std::unique_ptr<ConfigLoader> loader_;
  DaemonConfig current_;
  const bool watch_;
  const std::chrono::nanoseconds watch_interval_;
  const std::chrono::nanoseconds retry_interval_;
  std::string seen_;   // the file's fingerprint at the last look
  bool read_ = false;  // whether the file has been read since it changed

  std::mutex mutex_;
  std::condition_variable changed_;
  // Guarded by the mutex. The pointers are for use while it is held, and not
  // after `stopping_`.
  bool asked_ = false;
  bool stopping_ = false;
  ListenerControl* const listeners_;
  ConfigReloads* const reloads_;
  Clock* const clock_;
  const std::function<void(const DaemonConfig&)> on_reloaded_;
};

void ConfigReloader::Thread::Run() {
  while (WaitForReason()) Reload();
}

void ConfigReloader::Thread::Ask() {
  const std::lock_guard<std::mutex> lock(mutex_);
  asked_ = true;
  changed_.notify_all();
}

void ConfigReloader::Thread::Stop() {
  const std::lock_guard<std::mutex> lock(mutex_);
  stopping_ = true;
  changed_.notify_all();
}

bool ConfigReloader::Thread::WaitForReason() {
  const auto has_reason = [this] { return asked_ || stopping_; };
  while (true) {
    {
      std::unique_lock<std::mutex> lock(mutex_);
      if (watch_) {
        changed_.wait_for(lock, watch_interval_, has_reason);
      } else {
        changed_.wait(lock, has_reason);
      }
      if (stopping_) return false;
      if (std::exchange(asked_, false)) return true;
    }
    const std::string now = FingerprintOf(path());
    if (std::exchange(seen_, now) != now) {
      read_ = false;  // not yet: somebody may still be writing it
    } else if (!std::exchange(read_, true) && loader_->FileDiffers()) {
      return true;
    }
  }
}

void ConfigReloader::Thread::Reload() {
  absl::StatusOr<DaemonConfig> wanted = loader_->Load();
  absl::Status outcome = wanted.status();
  if (outcome.ok()) outcome = Apply(*wanted);
  if (outcome.ok()) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (stopping_) return;
    current_ = *std::move(wanted);
    on_reloaded_(current_);
  }
  Report(outcome);
}

void ConfigReloader::Thread::Report(const absl::Status& outcome) {
  if (outcome.ok()) {
    LogInfo(absl::StrCat("reloaded ", path()));
  } else {
    LogError(absl::StrCat("cannot reload ", path(), "; nothing has changed:"));
    for (const absl::string_view line :
         absl::StrSplit(outcome.message(), '\n')) {
      LogError(line);
    }
  }
  const std::lock_guard<std::mutex> lock(mutex_);
  if (!stopping_) reloads_->Count(clock_->WallNow(), outcome);
}

absl::Status ConfigReloader::Thread::Apply(const DaemonConfig& wanted) {
  if (absl::Status possible = CheckFlags(wanted); !possible.ok()) {
    return possible;
  }
  for (int tries = 1;; ++tries) {
    const absl::StatusOr<Infos> before = ListListeners();
    if (!before.ok()) return before.status();
    const std::vector<ListenerChange> changes =
        Difference(*before, wanted, current_);
    const absl::StatusOr<Infos> after = Change(changes);
    if (after.ok()) {
      LogChanges(changes, *before, *after);
      return absl::OkStatus();
    }
    if (tries == kMostTries || !MayPass(after.status()) ||
        !Pause(retry_interval_)) {
      return Explain(after.status(), changes, *before);
    }
  }
}

absl::Status ConfigReloader::Thread::CheckFlags(
    const DaemonConfig& wanted) const {
  std::vector<ConfigProblem> problems;
  for (const auto& [name, value] : wanted.flags) {
    const auto now = current_.flags.find(name);
    if (now == current_.flags.end() || now->second == value ||
        CanChange(name)) {
      continue;
    }
    const auto in_file = loader_->file().flags.find(name);
    problems.push_back(
        {.mark = in_file == loader_->file().flags.end() ? ConfigMark()
                                                        : in_file->second.mark,
         .field = name,
         .what = absl::StrCat("it cannot change from '", now->second, "' to '",
                              value,
                              "' while echod runs; restart echod, or "
                              "set it back")});
  }
  if (problems.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(ProblemsText(path(), problems));
}

absl::StatusOr<Infos> ConfigReloader::Thread::ListListeners() {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (stopping_) return ServerStoppedError();
  return listeners_->ListListeners();
}

absl::StatusOr<Infos> ConfigReloader::Thread::Change(
    std::vector<ListenerChange> changes) {
  // The reply may come when nobody waits any more.
  const auto answer = std::make_shared<std::promise<absl::StatusOr<Infos>>>();
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (stopping_) return ServerStoppedError();
    listeners_->ChangeListeners(
        std::move(changes), Reply<Infos>([answer](absl::StatusOr<Infos> infos) {
          answer->set_value(std::move(infos));
        }));
  }
  return answer->get_future().get();
}

absl::Status ConfigReloader::Thread::Explain(
    const absl::Status& error, const std::vector<ListenerChange>& changes,
    const Infos& before) const {
  const ErrorDetail detail = GetErrorDetail(error);
  const std::optional<std::size_t> index = IndexIn(detail.field);
  if (!index.has_value() || *index >= changes.size()) return error;
  const std::string& id = IdOf(changes[*index]);
  ConfigProblem problem = {
      .mark = {}, .field = id, .what = std::string(error.message())};
  if (loader_->file().listeners.has_value()) {
    for (const ConfigListener& each : *loader_->file().listeners) {
      if (each.creation.id != id) continue;
      problem.mark = each.mark;
      problem.field = each.field;
    }
  }
  const int port = PortOf(changes[*index]);
  if (detail.reason == "ADDRESS_IN_USE" && port != 0) {
    for (const ListenerInfo& holder : before) {
      if (holder.bound_port != port || holder.id == id) continue;
      absl::StrAppend(
          &problem.what, "; listener ", holder.id, " has port ", port,
          " on address ", holder.address,
          ". To pass the port on, move or delete that listener in this file, "
          "and write the same address here; or free the port with one reload, "
          "and take it with the next");
    }
  }
  return absl::Status(error.code(), ProblemText(path(), problem));
}

void ConfigReloader::Thread::LogChanges(
    const std::vector<ListenerChange>& changes, const Infos& before,
    const Infos& after) const {
  for (std::size_t i = 0; i < changes.size(); ++i) {
    AuditRecord record;
    record.peer = absl::StrCat("file:", path());
    record.resource = absl::StrCat("listeners/", IdOf(changes[i]));
    if (std::holds_alternative<ListenerCreation>(changes[i])) {
      record.method = "CreateListener";
      record.changes = ListenerChanges(ListenerInfo(), after[i]);
    } else if (std::holds_alternative<ListenerDeletion>(changes[i])) {
      record.method = "DeleteListener";
    } else {
      const auto old = std::find_if(
          before.begin(), before.end(),
          [&](const auto& info) { return info.id == after[i].id; });
      record.method = "UpdateListener";
      if (old != before.end()) record.changes = ListenerChanges(*old, after[i]);
      if (record.changes.empty()) continue;
    }
    LogChange(record, absl::OkStatus());
  }
}

bool ConfigReloader::Thread::Pause(std::chrono::nanoseconds time) {
  std::unique_lock<std::mutex> lock(mutex_);
  changed_.wait_for(lock, time, [this] { return stopping_; });
  return !stopping_;
}

absl::StatusOr<std::unique_ptr<ConfigReloader>> ConfigReloader::Start(
    Options options) {
  auto thread = std::make_shared<Thread>(std::move(options));
  try {
    std::thread([thread] {
      pthread_setname_np(pthread_self(), "config");
      thread->Run();
    }).detach();
  } catch (const std::system_error& error) {
    return ResourceError("start the configuration thread",
                         error.code().value());
  }
  return std::unique_ptr<ConfigReloader>(new ConfigReloader(std::move(thread)));
}

ConfigReloader::ConfigReloader(std::shared_ptr<Thread> thread)
    : thread_(std::move(thread)) {}

ConfigReloader::~ConfigReloader() { thread_->Stop(); }

void ConfigReloader::Reload() { thread_->Ask(); }

}  // namespace echod
