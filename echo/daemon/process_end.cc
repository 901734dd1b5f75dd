// SPDX-License-Identifier: Apache-2.0

#include "echo/daemon/process_end.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <ctime>
#include <utility>

#include "echo/base/resource_error.h"

namespace echod {
namespace {

// How long the process may take to end after a second signal; also the extra
// time when its time has run out, which may have happened while it was stopped
// (SIGSTOP).
constexpr std::int64_t kMarginSeconds = 2;

constexpr int kWakeUpTries = 3;

// Shared with the signal handlers, which use only lock-free atomics and
// async-signal-safe calls.
std::atomic<int> wake_up_fd{-1};
std::atomic<int> requests{0};
std::atomic<int> hangups{0};
std::atomic<int> forced_status{kExitCutOff};
std::atomic<int> alarms_left{0};  // before the forced exit; 0: none is set
std::atomic<std::int64_t> alarm_due{0};  // the monotonic clock's seconds
static_assert(std::atomic<int>::is_always_lock_free &&
              std::atomic<std::int64_t>::is_always_lock_free);

std::int64_t SecondsNow() {
  timespec now = {};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec;
}

void SetAlarm(std::int64_t seconds) {
  alarm_due.store(SecondsNow() + seconds);
  alarm(static_cast<unsigned>(seconds));
}

void EndByForceSoon() {
  forced_status.store(kExitCutOff);
  alarms_left.store(1);
  SetAlarm(kMarginSeconds);
}

bool WakeUpLoop() {
  const std::uint64_t one = 1;
  for (int tries = 0; tries < kWakeUpTries; ++tries) {
    if (write(wake_up_fd.load(), &one, sizeof one) == sizeof one) return true;
  }
  return false;
}

void OnEndingSignal(int signal) {
  const int error = errno;
  const bool again = signal != SIGHUP && requests.fetch_add(1) > 0;
  if (signal == SIGHUP) hangups.fetch_add(1);
  if (!WakeUpLoop() || again) EndByForceSoon();
  errno = error;
}

void OnAlarm(int /*signal*/) {
  const int error = errno;
  if (alarms_left.load() == 0) return;
  // Another process may have sent this SIGALRM.
  if (const std::int64_t early = alarm_due.load() - SecondsNow(); early > 0) {
    alarm(static_cast<unsigned>(early));
    errno = error;
    return;
  }
  if (alarms_left.fetch_sub(1) > 1) {
    SetAlarm(kMarginSeconds);
    errno = error;
    return;
  }
  static constexpr char kMessage[] =
      "echod: did not end in time; exiting by force\n";
  pollfd log = {.fd = STDERR_FILENO, .events = POLLOUT, .revents = 0};
  if (poll(&log, 1, 0) == 1 &&
      write(STDERR_FILENO, kMessage, sizeof kMessage - 1) < 0) {
    // There is nowhere else to report it.
  }
  _exit(forced_status.load());
}

bool IsIgnored(int signal) {
  struct sigaction inherited = {};
  return sigaction(signal, nullptr, &inherited) == 0 &&
         inherited.sa_handler == SIG_IGN;
}

// Returns false and sets errno on failure.
bool Handle(int signal, void (*handler)(int)) {
  struct sigaction action = {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  sigfillset(&action.sa_mask);
  if (sigaction(signal, &action, nullptr) != 0) return false;
  // The parent process may have blocked it.
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, signal);
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
  return true;
}

}  // namespace

absl::Status EndRequests::Note() {
  const int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (fd < 0) return ResourceError("handle signals", errno);
  wake_up_fd.store(fd);
  bool handled = Handle(SIGALRM, &OnAlarm);
  for (const int signal : {SIGTERM, SIGINT, SIGQUIT, SIGHUP}) {
    if (signal == SIGHUP && IsIgnored(signal)) continue;
    handled = handled && Handle(signal, &OnEndingSignal);
  }
  if (!handled) return ResourceError("handle signals", errno);
  return absl::OkStatus();
}

absl::Status EndRequests::NoteHangups() {
  if (Handle(SIGHUP, &OnEndingSignal)) return absl::OkStatus();
  return ResourceError("handle SIGHUP", errno);
}

absl::StatusOr<std::unique_ptr<EndRequests>> EndRequests::Watch(
    EventLoop& loop, Callbacks callbacks) {
  // A duplicate: the handler's descriptor stays open until the process ends.
  UniqueFd fd(fcntl(wake_up_fd.load(), F_DUPFD_CLOEXEC, 0));
  if (!fd.valid()) return ResourceError("watch for signals", errno);
  auto watch = std::unique_ptr<EndRequests>(
      new EndRequests(loop, std::move(fd), std::move(callbacks)));
  if (!watch->StartUrgent(loop.read_poller())) {
    return ResourceError("watch for signals", errno);
  }
  return watch;
}

EndRequests::EndRequests(EventLoop& loop, UniqueFd wake_up, Callbacks callbacks)
    : FdWatcher(std::move(wake_up)),
      loop_(loop),
      callbacks_(std::move(callbacks)) {}

EndRequests::~EndRequests() { Stop(loop_.read_poller()); }

int EndRequests::Count() { return requests.load(); }

void EndRequests::OnReadable() {
  eventfd_t ignored = 0;
  eventfd_read(fd(), &ignored);
  if (const int all = hangups.load(); all != hangups_handled_) {
    hangups_handled_ = all;
    callbacks_.hangup();
  }
  for (; requests_handled_ < requests.load(); ++requests_handled_) {
    if (requests_handled_ == 0) {
      callbacks_.drain();
    } else {
      callbacks_.stop();
    }
  }
}

void EndByForceAfter(absl::Duration patience, int status) {
  if (requests.load() > 1) return;  // the handler has set a shorter time
  constexpr absl::Duration kLongest = absl::Hours(24 * 3650);
  const std::int64_t seconds = absl::ToInt64Seconds(absl::Ceil(
      std::clamp(patience, absl::Seconds(1), kLongest), absl::Seconds(1)));
  forced_status.store(status);
  alarms_left.store(2);
  SetAlarm(seconds);
  if (requests.load() > 1) {  // a signal arrived in between
    EndByForceSoon();
  }
}

}  // namespace echod
