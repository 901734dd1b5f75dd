// SPDX-License-Identifier: Apache-2.0

#ifndef TESTS_BENCH_MEASURE_H_
#define TESTS_BENCH_MEASURE_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "tests/load/load_options.h"

namespace echod::bench {

// A server to be measured.
struct Subject {
  std::string program = "echo/daemon/echod";  // a path in the workspace
  std::vector<std::string> flags;
  int cpu = -1;  // the only one that it may use; -1: any
};

// echod, with every limit and timer on that a real server has on, and the
// servers to compare it with.
Subject Echod(load::Mode mode, int workers);
Subject Reference(const std::string& kind, load::Mode mode, int workers);

// What one run under load has shown.
struct Measurement {
  double requests_per_second = 0;
  double server_cpu_per_request = 0;  // seconds
  double load_cpu_per_request = 0;    // seconds
};

// Starts both and puts the load on them by turns, each of them the load's
// duration in all: what else the machine does while it lasts meets both. The
// load runs on the calling thread's CPUs. Ends the program when a byte does not
// come back, for such a figure says nothing.
std::pair<Measurement, Measurement> MeasureByTurns(const Subject& first,
                                                   const Subject& second,
                                                   load::LoadOptions load,
                                                   int turns);

// What `connections` connections that have been used and are at rest cost the
// subject of resident memory, in bytes for each.
double MeasureMemory(const Subject& subject, load::Mode mode, int connections);

// What it is like to be one of a hundred connections that ask 5,000 times a
// second, on one worker with others: the 99th percentile of latency, in
// seconds.
struct Neighbours {
  double alone = 0;
  double beside_a_stream = 0;   // one connection that streams without end
  double beside_the_stuck = 0;  // 1,000 that send all they can and never read
  // Resident bytes for each of those 1,000.
  double stuck_bytes = 0;
};
Neighbours MeasureNeighbours(const Subject& subject);

// System calls, or instructions in user mode, for each request; negative when
// strace or valgrind, which count them, are not installed. The load is as short
// as `load` says, since both make the subject slow.
double CountSystemCalls(const Subject& subject, const load::LoadOptions& load);
double CountInstructions(const Subject& subject, const load::LoadOptions& load);

}  // namespace echod::bench

#endif  // TESTS_BENCH_MEASURE_H_
