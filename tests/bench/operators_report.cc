// SPDX-License-Identifier: Apache-2.0

#include "tests/bench/operators_report.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "tests/bench/measure.h"
#include "tests/bench/operators.h"

namespace echod::bench {
namespace {

void Append(const std::vector<double>& seconds,
            std::vector<double>& milliseconds) {
  for (const double each : seconds) milliseconds.push_back(each * 1e3);
}

}  // namespace

std::string OperatorsReport(const Subject& subject, int rounds) {
  std::string report =
      "\n10,000 connections that send 20,000 requests per second, of which 200 "
      "per second are\nreplaced, on one worker; beside one client that lists "
      "them all in a loop with a filter and\nan order, ten that watch the "
      "statistics every 100 ms, and two that watch connections.\nThey and the "
      "admin plane share the load's CPU, so they are compared with the same "
      "clients of\nanother server there, too. The percentile is that of a "
      "median slice of 50 ms.\n\n"
      "| figure | divided by that without operators | with operators of "
      "another server |\n|---|---|---|\n";
  std::vector<OperatorKind> round = {
      OperatorKind::kBusy, OperatorKind::kBusyElsewhere, OperatorKind::kNone};
  std::vector<OperatorKind> turns;
  for (int i = 0; i < rounds; ++i) {
    turns.insert(turns.end(), round.begin(), round.end());
    // Another order in each round.
    std::next_permutation(round.begin(), round.end());
  }
  const std::vector<BesideOperators> beside =
      MeasureBesideOperators(subject, turns);
  std::vector<double> looped;
  std::array<std::vector<double>, 2> cpu;
  std::array<std::vector<double>, 2> p99;
  for (std::size_t first = 0; first < turns.size(); first += round.size()) {
    const auto turn = [&](OperatorKind kind) -> const BesideOperators& {
      const auto begin = turns.begin() + static_cast<std::ptrdiff_t>(first);
      return beside[static_cast<std::size_t>(
          std::find(begin, turns.end(), kind) - turns.begin())];
    };
    const BesideOperators& busy = turn(OperatorKind::kBusy);
    Append(busy.page_times, looped);
    for (const std::size_t i : {0, 1}) {
      const BesideOperators& other =
          turn(i == 0 ? OperatorKind::kNone : OperatorKind::kBusyElsewhere);
      cpu[i].push_back(busy.cpu_per_request / other.cpu_per_request);
      p99[i].push_back(busy.p99 / other.p99);
    }
  }
  absl::StrAppendFormat(&report, "| CPU per request | %s | %s |\n",
                        Spread(cpu[0]), Spread(cpu[1]));
  absl::StrAppendFormat(&report, "| 99th percentile of latency | %s | %s |\n",
                        Spread(p99[0]), Spread(p99[1]));

  std::vector<double> occasional;
  for (const BesideOperators& each : MeasureBesideOperators(
           subject, std::vector<OperatorKind>(turns.size() / round.size(),
                                              OperatorKind::kOccasional))) {
    Append(each.page_times, occasional);
  }
  if (looped.empty() || occasional.empty()) return report;
  absl::StrAppendFormat(
      &report,
      "\nA page of 1,000 takes %s ms in that loop (%d pages), and %s ms when "
      "there is one per\nsecond (%d pages).\n",
      Spread(looped, 1), looped.size(), Spread(occasional, 1),
      occasional.size());
  return report;
}

}  // namespace echod::bench
