// SPDX-License-Identifier: Apache-2.0

#include "tests/load/load_run.h"

#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstring>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "tests/load/load_thread.h"

namespace echod::load {
namespace {

constexpr absl::Duration kPollInterval = absl::Milliseconds(10);
constexpr absl::Duration kProgressInterval = absl::Seconds(1);
constexpr std::size_t kLongestPart = 256 * 1024;

// Descriptors that the process needs beside its connections.
constexpr rlim_t kOtherDescriptors = 64;

class Run {
 public:
  Run(const LoadOptions& options, LoadObserver& observer)
      : options_(options),
        observer_(observer),
        script_(options.mode, options.request_bytes, kLongestPart) {
    int first = 0;
    for (int i = 0; i < options.threads; ++i) {
      const int share = (options.connections - first) / (options.threads - i);
      threads_.push_back(
          std::make_unique<LoadThread>(options, script_, phase_, first, share));
      first += share;
    }
  }

  absl::StatusOr<LoadResult> operator()() {
    for (const auto& thread : threads_) thread->Start();
    const bool wanted = WaitForConnections();
    if (Counts().connections_opened == 0) {
      End();
      if (!wanted) {
        return absl::CancelledError(
            "ended before any connection was established");
      }
      return absl::UnavailableError(absl::StrCat(
          "no connection to ", options_.server.ToString(), ": ",
          std::strerror(ConnectErrno()), "; is a server listening there?"));
    }
    LoadResult result;
    if (wanted) {
      const absl::Time start = absl::Now();
      EnterPhase(Phase::kMeasuring);
      observer_.OnMeasuring();
      WaitAndShow();
      observer_.OnMeasured();
      result.measured = absl::Now() - start;
    }
    End();
    result.series.assign(static_cast<std::size_t>(options_.series),
                         Histogram(kLatencyBuckets));
    for (const auto& thread : threads_) {
      for (std::size_t i = 0; i < result.series.size(); ++i) {
        result.series[i] += thread->series()[i];
      }
      result.counts = result.counts + thread->measured_counts();
      result.latencies += thread->latencies();
      result.cpu_time += thread->cpu_time();
      result.unanswered += thread->unanswered();
      result.unsent += thread->unsent();
      if (result.unexpected.empty()) result.unexpected = thread->unexpected();
    }
    result.whole = Counts();
    return result;
  }

 private:
  LoadCounts Counts() const {
    LoadCounts sum;
    for (const auto& thread : threads_) sum = sum + thread->Counts();
    return sum;
  }

  std::int64_t Open() const {
    std::int64_t sum = 0;
    for (const auto& thread : threads_) sum += thread->open();
    return sum;
  }

  int ConnectErrno() const {
    for (const auto& thread : threads_) {
      if (thread->connect_errno() != 0) return thread->connect_errno();
    }
    return ETIMEDOUT;
  }

  // Waits until each connection has been established or has failed. False if
  // the observer ends the run.
  bool WaitForConnections() {
    for (;;) {
      std::int64_t settled = 0;
      for (const auto& thread : threads_) settled += thread->settled();
      if (settled >= options_.connections) return true;
      observer_.OnConnecting(settled, options_.connections);
      if (!observer_.Wait(kPollInterval)) return false;
    }
  }

  void WaitAndShow() {
    const absl::Time start = absl::Now();
    const LoadCounts before = Counts();
    for (;;) {
      const absl::Duration elapsed = absl::Now() - start;
      if (elapsed >= options_.duration) return;
      const absl::Duration step =
          std::min(kProgressInterval, options_.duration - elapsed);
      if (!observer_.Wait(step)) return;
      observer_.OnProgress(absl::Now() - start, Counts() - before, Open());
    }
  }

  void EnterPhase(Phase phase) {
    phase_ = phase;
    for (const auto& thread : threads_) thread->WakeUp();
  }

  void End() {
    EnterPhase(Phase::kEnding);
    const auto done = [](const auto& thread) { return thread->done(); };
    while (!std::all_of(threads_.begin(), threads_.end(), done)) {
      if (observer_.WaitForAnswers(kPollInterval)) continue;
      EnterPhase(Phase::kEnded);
      break;
    }
    for (const auto& thread : threads_) thread->Join();
  }

  const LoadOptions& options_;
  LoadObserver& observer_;
  const Script script_;
  std::atomic<Phase> phase_{Phase::kConnecting};
  std::vector<std::unique_ptr<LoadThread>> threads_;
};

absl::Status BadFlag(absl::string_view flag, absl::string_view problem) {
  return absl::InvalidArgumentError(
      absl::StrCat("flag --", flag, ": ", problem));
}

}  // namespace

absl::Status ValidateLoad(const LoadOptions& options) {
  constexpr absl::Duration kLongestTime = absl::Hours(1000);
  constexpr int kMostThreads = 256;
  constexpr int kMostConnections = 1'000'000;
  constexpr int kMostPipeline = 1'000'000;
  constexpr std::size_t kMostBytes = 64 * 1024 * 1024;
  if (options.connections < 1 || options.connections > kMostConnections) {
    return BadFlag("connections",
                   absl::StrCat("choose 1 to ", kMostConnections));
  }
  if (options.threads < 1 || options.threads > kMostThreads) {
    return BadFlag("threads", absl::StrCat("choose 1 to ", kMostThreads));
  }
  if (options.threads > options.connections) {
    return BadFlag("threads", "choose at most the number of connections");
  }
  if (options.request_bytes < 1 || options.request_bytes > kMostBytes) {
    return BadFlag("size", absl::StrCat("choose 1 to ", kMostBytes, " bytes"));
  }
  if (options.pipeline < 1 || options.pipeline > kMostPipeline) {
    return BadFlag("pipeline", absl::StrCat("choose 1 to ", kMostPipeline));
  }
  if (options.in_flight < 0 ||
      (options.in_flight > 0 && options.in_flight < options.threads)) {
    return BadFlag("in_flight", "choose at least one per thread, or 0");
  }
  if (options.in_flight > 0 && options.rate > 0) {
    return BadFlag("in_flight",
                   "cannot be combined with --rate; leave one out");
  }
  if (!(options.rate >= 0 && options.rate <= 1e9)) {
    return BadFlag(
        "rate", "choose up to 1e9 requests per second, or 0 for a closed loop");
  }
  if (options.duration <= absl::ZeroDuration() ||
      options.duration > kLongestTime) {
    return BadFlag("duration", "choose more than 0 and up to 1000h, as in 10s");
  }
  if (options.ramp < absl::ZeroDuration() || options.ramp > kLongestTime) {
    return BadFlag("ramp", "choose 0 to 1000h, as in 10s");
  }
  if (options.timeout <= absl::ZeroDuration() ||
      options.timeout > kLongestTime) {
    return BadFlag("timeout", "choose more than 0 and up to 1000h, as in 10s");
  }
  if (options.requests_per_connection < 0) {
    return BadFlag("requests_per_connection", "choose 0 or more");
  }
  if (!(options.reconnect_rate >= 0 && options.reconnect_rate <= 1e6)) {
    return BadFlag("reconnect_rate",
                   "choose up to 1e6 connections per second, or 0 for never");
  }
  rlimit limit = {};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0 &&
      static_cast<rlim_t>(options.connections) + kOtherDescriptors >
          limit.rlim_cur) {
    return BadFlag(
        "connections",
        absl::StrCat("this process is limited to ", limit.rlim_cur,
                     " descriptors; choose fewer, or raise `ulimit -n`"));
  }
  return absl::OkStatus();
}

absl::StatusOr<LoadResult> RunLoad(const LoadOptions& options,
                                   LoadObserver& observer) {
  return Run(options, observer)();
}

absl::StatusOr<LoadResult> RunLoadOnAny(
    const std::vector<SocketAddress>& servers, LoadOptions& options,
    LoadObserver& observer) {
  absl::StatusOr<LoadResult> result;
  for (const SocketAddress& server : servers) {
    options.server = server;
    result = RunLoad(options, observer);
    if (!absl::IsUnavailable(result.status())) break;
  }
  return result;
}

}  // namespace echod::load
