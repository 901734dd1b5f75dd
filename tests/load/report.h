// SPDX-License-Identifier: Apache-2.0

#ifndef TESTS_LOAD_REPORT_H_
#define TESTS_LOAD_REPORT_H_

#include <string>

#include "absl/time/time.h"
#include "tests/load/load_options.h"

namespace echod::load {

// A report for people, in a few lines.
std::string TextReport(const LoadOptions& options, const LoadResult& result);

// A report for programs: one JSON object, with times in seconds, or in
// microseconds where the name says so.
std::string JsonReport(const LoadOptions& options, const LoadResult& result);

// One line about the progress of a run since `before`, within `step`.
std::string ProgressLine(absl::Duration elapsed, absl::Duration step,
                         const LoadCounts& before, const LoadCounts& now,
                         std::int64_t open_connections);

}  // namespace echod::load

#endif  // TESTS_LOAD_REPORT_H_
