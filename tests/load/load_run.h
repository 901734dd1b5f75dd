// SPDX-License-Identifier: Apache-2.0

#ifndef TESTS_LOAD_LOAD_RUN_H_
#define TESTS_LOAD_LOAD_RUN_H_

#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "echo/base/socket_address.h"
#include "tests/load/load_options.h"

namespace echod::load {

// What a run shows of itself, to whoever watches. Called by RunLoad's thread.
class LoadObserver {
 public:
  virtual ~LoadObserver() = default;

  // Connections come about, or fail; `wanted` of them are to. Often.
  virtual void OnConnecting(std::int64_t settled, std::int64_t wanted) {
    (void)settled, (void)wanted;
  }

  // The measured part begins, and ends.
  virtual void OnMeasuring() {}
  virtual void OnMeasured() {}

  // How it stands, `elapsed` into the measured part; about every second.
  virtual void OnProgress(absl::Duration elapsed, const LoadCounts& counts,
                          std::int64_t open_connections) {
    (void)elapsed, (void)counts, (void)open_connections;
  }

  // Waits. False ends the run early.
  virtual bool Wait(absl::Duration time) {
    absl::SleepFor(time);
    return true;
  }

  // The same, once the run is at its end and the last answers are waited for.
  // False ends that, too.
  virtual bool WaitForAnswers(absl::Duration time) {
    absl::SleepFor(time);
    return true;
  }
};

// Puts the load on the server, measures, and waits for the last answers.
// Blocks. What the options say has to make sense; ValidateLoad says whether it
// does. Errors: UNAVAILABLE, not even one connection came about; CANCELLED, the
// observer has ended the run before one did.
absl::StatusOr<LoadResult> RunLoad(const LoadOptions& options,
                                   LoadObserver& observer);

// The same, on the first of `servers`, of which there is one at least, to which
// a connection comes about; `options.server` is then that one.
absl::StatusOr<LoadResult> RunLoadOnAny(
    const std::vector<SocketAddress>& servers, LoadOptions& options,
    LoadObserver& observer);

// INVALID_ARGUMENT begins with the name of the flag at fault.
absl::Status ValidateLoad(const LoadOptions& options);

}  // namespace echod::load

#endif  // TESTS_LOAD_LOAD_RUN_H_
