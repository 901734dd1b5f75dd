// SPDX-License-Identifier: Apache-2.0

#include "tests/load/hgrm.h"

#include <cmath>
#include <cstdint>

#include "absl/strings/str_format.h"

namespace echod::load {
namespace {

// Resolution of the tail: steps per halving of the distance to 100 %.
constexpr int kStepsPerHalf = 5;
constexpr double kNanosPerMicro = 1000;

double StandardDeviation(const Histogram& histogram) {
  const double mean = histogram.Mean();
  double sum = 0;
  histogram.ForEachBucket([&](std::uint64_t value, std::uint64_t times) {
    const double off = static_cast<double>(value) - mean;
    sum += off * off * static_cast<double>(times);
  });
  return histogram.count() == 0
             ? 0
             : std::sqrt(sum / static_cast<double>(histogram.count()));
}

}  // namespace

void WriteHgrm(const Histogram& nanoseconds, std::ostream& out) {
  out << absl::StrFormat("%12s %14s %10s %14s\n\n", "Value", "Percentile",
                         "TotalCount", "1/(1-Percentile)");
  const auto row = [&](double value, double quantile, std::uint64_t total) {
    out << absl::StrFormat("%12.3f %2.12f %10d", value / kNanosPerMicro,
                           quantile, total);
    if (quantile < 1) out << absl::StrFormat(" %14.2f", 1 / (1 - quantile));
    out << "\n";
  };
  const std::uint64_t count = nanoseconds.count();
  double next = 0;  // the quantile of the next row
  std::uint64_t seen = 0;
  nanoseconds.ForEachBucket([&](std::uint64_t highest, std::uint64_t times) {
    seen += times;
    const auto value = static_cast<double>(highest);
    const double reached =
        static_cast<double>(seen) / static_cast<double>(count);
    while (seen < count && next <= reached) {
      row(value, next, seen);
      const double halvings = std::floor(std::log2(1 / (1 - next))) + 1;
      next += 1 / (kStepsPerHalf * std::exp2(halvings));
    }
    if (seen == count) row(value, 1, seen);
  });
  out << absl::StrFormat("#[Mean    = %12.3f, StdDeviation   = %12.3f]\n",
                         nanoseconds.Mean() / kNanosPerMicro,
                         StandardDeviation(nanoseconds) / kNanosPerMicro);
  out << absl::StrFormat(
      "#[Max     = %12.3f, Total count    = %12d]\n",
      static_cast<double>(nanoseconds.Greatest()) / kNanosPerMicro, count);
  const int bits = nanoseconds.buckets().precision_bits;
  out << absl::StrFormat("#[Buckets = %12d, SubBuckets     = %12d]\n",
                         nanoseconds.buckets().size() >> bits, 1 << bits);
}

}  // namespace echod::load
