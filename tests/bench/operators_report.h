// SPDX-License-Identifier: Apache-2.0

#ifndef TESTS_BENCH_OPERATORS_REPORT_H_
#define TESTS_BENCH_OPERATORS_REPORT_H_

#include <string>

#include "tests/bench/measure.h"

namespace echod::bench {

// Measures in `rounds` (at least one) what operators cost the clients of
// `subject`, and returns a table of it.
std::string OperatorsReport(const Subject& subject, int rounds);

}  // namespace echod::bench

#endif  // TESTS_BENCH_OPERATORS_REPORT_H_
