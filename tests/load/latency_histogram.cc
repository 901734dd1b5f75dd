// SPDX-License-Identifier: Apache-2.0

#include "tests/load/latency_histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "absl/strings/str_format.h"

namespace echod::load {
namespace {

constexpr int kBits = 10;  // of precision: 1,024 buckets for each power of two
constexpr std::uint64_t kPerPower = 1ULL << kBits;

// Resolution of the tail in an .hgrm: steps per halving of the distance to 100
// %.
constexpr int kStepsPerHalf = 5;
constexpr double kNanosPerMicro = 1000;

}  // namespace

LatencyHistogram::LatencyHistogram() : counts_(IndexOf(kLongest) + 1) {}

std::size_t LatencyHistogram::IndexOf(std::uint64_t nanoseconds) {
  const int shift =
      std::max(0, static_cast<int>(std::bit_width(nanoseconds)) - kBits - 1);
  return static_cast<std::size_t>(shift) * kPerPower + (nanoseconds >> shift);
}

std::uint64_t LatencyHistogram::HighestAt(std::size_t index) {
  if (index < 2 * kPerPower) return index;
  const std::size_t shift = index / kPerPower - 1;
  const std::uint64_t first = (index - shift * kPerPower) << shift;
  return first + (1ULL << shift) - 1;
}

void LatencyHistogram::Record(std::uint64_t nanoseconds, std::uint64_t times) {
  counts_[IndexOf(std::min(nanoseconds, kLongest))] += times;
  count_ += times;
}

void LatencyHistogram::Add(const LatencyHistogram& other) {
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    counts_[i] += other.counts_[i];
  }
  count_ += other.count_;
}

void LatencyHistogram::Clear() {
  std::fill(counts_.begin(), counts_.end(), 0);
  count_ = 0;
}

std::uint64_t LatencyHistogram::Least() const {
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    if (counts_[i] > 0) return i == 0 ? 0 : HighestAt(i - 1) + 1;
  }
  return 0;
}

std::uint64_t LatencyHistogram::Greatest() const {
  for (std::size_t i = counts_.size(); i > 0; --i) {
    if (counts_[i - 1] > 0) return HighestAt(i - 1);
  }
  return 0;
}

double LatencyHistogram::Mean() const {
  if (count_ == 0) return 0;
  double sum = 0;
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    sum += static_cast<double>(HighestAt(i)) * static_cast<double>(counts_[i]);
  }
  return sum / static_cast<double>(count_);
}

double LatencyHistogram::StandardDeviation() const {
  if (count_ == 0) return 0;
  const double mean = Mean();
  double sum = 0;
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    const double off = static_cast<double>(HighestAt(i)) - mean;
    sum += off * off * static_cast<double>(counts_[i]);
  }
  return std::sqrt(sum / static_cast<double>(count_));
}

std::uint64_t LatencyHistogram::Percentile(double percent) const {
  if (count_ == 0) return 0;
  // Subtracts an epsilon: in binary, 99.9 % of 1,000 is slightly more than 999.
  constexpr double kSlack = 1e-9;
  const auto wanted = static_cast<std::uint64_t>(
      std::ceil(percent / 100 * static_cast<double>(count_) * (1 - kSlack)));
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    seen += counts_[i];
    if (counts_[i] > 0 && seen >= wanted) return HighestAt(i);
  }
  return Greatest();
}

void LatencyHistogram::WriteHgrm(std::ostream& out) const {
  out << absl::StrFormat("%12s %14s %10s %14s\n\n", "Value", "Percentile",
                         "TotalCount", "1/(1-Percentile)");
  const auto row = [&](double value, double quantile, std::uint64_t total) {
    out << absl::StrFormat("%12.3f %2.12f %10d", value / kNanosPerMicro,
                           quantile, total);
    if (quantile < 1) out << absl::StrFormat(" %14.2f", 1 / (1 - quantile));
    out << "\n";
  };
  const auto all = static_cast<double>(count_);
  double next = 0;  // the quantile of the next row
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < counts_.size() && seen < count_; ++i) {
    if (counts_[i] == 0) continue;
    seen += counts_[i];
    const auto value = static_cast<double>(HighestAt(i));
    const double reached = static_cast<double>(seen) / all;
    while (seen < count_ && next <= reached) {
      row(value, next, seen);
      const double halvings = std::floor(std::log2(1 / (1 - next))) + 1;
      next += 1 / (kStepsPerHalf * std::exp2(halvings));
    }
    if (seen == count_) row(value, 1, seen);
  }
  out << absl::StrFormat("#[Mean    = %12.3f, StdDeviation   = %12.3f]\n",
                         Mean() / kNanosPerMicro,
                         StandardDeviation() / kNanosPerMicro);
  out << absl::StrFormat("#[Max     = %12.3f, Total count    = %12d]\n",
                         static_cast<double>(Greatest()) / kNanosPerMicro,
                         count_);
  out << absl::StrFormat("#[Buckets = %12d, SubBuckets     = %12d]\n",
                         counts_.size() / kPerPower, kPerPower);
}

}  // namespace echod::load
