// SPDX-License-Identifier: Apache-2.0

#ifndef TESTS_LOAD_TEST_LOAD_H_
#define TESTS_LOAD_TEST_LOAD_H_

#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "echo/base/socket_address.h"
#include "gtest/gtest.h"
#include "tests/load/load_options.h"
#include "tests/load/load_run.h"

namespace echod::load {

// A load that a test has time for.
inline LoadOptions Small(const SocketAddress& server, Mode mode) {
  LoadOptions options;
  options.server = server;
  options.mode = mode;
  options.connections = 7;
  options.duration = absl::Milliseconds(100);
  return options;
}

// Runs it, and expects that it can.
inline LoadResult MustRun(const LoadOptions& options) {
  EXPECT_TRUE(ValidateLoad(options).ok()) << ValidateLoad(options);
  LoadObserver observer;
  absl::StatusOr<LoadResult> result = RunLoad(options, observer);
  EXPECT_TRUE(result.ok()) << result.status();
  return result.ok() ? *std::move(result) : LoadResult();
}

}  // namespace echod::load

#endif  // TESTS_LOAD_TEST_LOAD_H_
