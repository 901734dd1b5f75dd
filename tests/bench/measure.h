// SPDX-License-Identifier: Apache-2.0

#ifndef TESTS_BENCH_MEASURE_H_
#define TESTS_BENCH_MEASURE_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "tests/load/load_options.h"

namespace echod::bench {

// A server to measure.
struct Subject {
  std::string program = "echo/daemon/echod";  // a path in the workspace
  std::vector<std::string> flags;
  int cpu = -1;  // the only CPU to use; -1: any
};

// echod, with all limits and timers enabled, and the reference servers.
Subject Echod(load::Mode mode, int workers);
Subject Reference(const std::string& kind, load::Mode mode, int workers);

// The result of one run under load.
struct Measurement {
  double requests_per_second = 0;
  double server_cpu_per_request = 0;  // seconds
  double load_cpu_per_request = 0;    // seconds
};

// Starts both servers, and alternates the load between them, for the load's
// duration in total per server, so that disturbances on the machine affect
// both. The load runs on the calling thread's CPUs. Exits the program if any
// byte does not come back, because the figures would be meaningless.
std::pair<Measurement, Measurement> MeasureByTurns(const Subject& first,
                                                   const Subject& second,
                                                   load::LoadOptions load,
                                                   int turns);

// Resident memory of the subject, in bytes per connection, for `connections`
// idle connections that have been used before.
double MeasureMemory(const Subject& subject, load::Mode mode, int connections);

// The 99th percentile of latency, in seconds, of a hundred connections that
// send 5,000 requests per second in total, on one worker, beside others.
struct Neighbours {
  double alone = 0;
  double beside_a_stream = 0;  // an endless stream on one connection
  double beside_the_stuck =
      0;  // 1,000 that send as much as they can and never read
  // Resident bytes per connection of those 1,000.
  double stuck_bytes = 0;
};
Neighbours MeasureNeighbours(const Subject& subject);

// System calls, or instructions in user mode, per request. Negative if strace
// or valgrind, which count them, are not installed. Use a short load, because
// both slow the subject down.
double CountSystemCalls(const Subject& subject, const load::LoadOptions& load);
double CountInstructions(const Subject& subject, const load::LoadOptions& load);

// The median of at least one value.
double Median(std::vector<double> values);

// "median (least-greatest)" of at least one value.
std::string Spread(const std::vector<double>& values, int digits = 2);

}  // namespace echod::bench

#endif  // TESTS_BENCH_MEASURE_H_
