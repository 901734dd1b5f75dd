// SPDX-License-Identifier: Apache-2.0

#ifndef TESTS_LOAD_LOAD_RUN_H_
#define TESTS_LOAD_LOAD_RUN_H_

#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "echo/base/socket_address.h"
#include "tests/load/load_options.h"

namespace echod::load {

// Observes a run. Called on RunLoad's thread.
class LoadObserver {
 public:
  virtual ~LoadObserver() = default;

  // Called often while connecting: `settled` of `wanted` connections have been
  // established or have failed.
  virtual void OnConnecting(std::int64_t settled, std::int64_t wanted) {
    (void)settled, (void)wanted;
  }

  // The measured part starts, and ends.
  virtual void OnMeasuring() {}
  virtual void OnMeasured() {}

  // Called about once per second, `elapsed` into the measured part.
  virtual void OnProgress(absl::Duration elapsed, const LoadCounts& counts,
                          std::int64_t open_connections) {
    (void)elapsed, (void)counts, (void)open_connections;
  }

  // Waits for `time`. Returning false ends the run early.
  virtual bool Wait(absl::Duration time) {
    absl::SleepFor(time);
    return true;
  }

  // The same, at the end of the run, while waiting for the last answers.
  // Returning false stops waiting.
  virtual bool WaitForAnswers(absl::Duration time) {
    absl::SleepFor(time);
    return true;
  }
};

// Generates the load, measures, and waits for the last answers. Blocks.
// `options` must pass ValidateLoad. Errors: UNAVAILABLE if no connection could
// be established; CANCELLED if the observer ended the run before one was.
absl::StatusOr<LoadResult> RunLoad(const LoadOptions& options,
                                   LoadObserver& observer);

// The same, with the first of `servers` (at least one) to which a connection
// can be established, and sets `options.server` to it.
absl::StatusOr<LoadResult> RunLoadOnAny(
    const std::vector<SocketAddress>& servers, LoadOptions& options,
    LoadObserver& observer);

// INVALID_ARGUMENT starts with the name of the invalid flag.
absl::Status ValidateLoad(const LoadOptions& options);

}  // namespace echod::load

#endif  // TESTS_LOAD_LOAD_RUN_H_
