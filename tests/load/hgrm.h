// SPDX-License-Identifier: Apache-2.0

#ifndef TESTS_LOAD_HGRM_H_
#define TESTS_LOAD_HGRM_H_

#include <ostream>

#include "echo/base/histogram.h"

namespace echod::load {

// The precision of latencies, which are in nanoseconds: 0.1 %, up to about an
// hour and a quarter.
inline constexpr HistogramBuckets kLatencyBuckets{.precision_bits = 10,
                                                  .greatest = (1ULL << 42) - 1};

// Writes the distribution in the .hgrm format of HDR histogram plotters, with
// values in microseconds.
void WriteHgrm(const Histogram& nanoseconds, std::ostream& out);

}  // namespace echod::load

#endif  // TESTS_LOAD_HGRM_H_
