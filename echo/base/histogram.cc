// SPDX-License-Identifier: Apache-2.0

#include "echo/base/histogram.h"

#include <cmath>

#include "echo/base/check.h"

namespace echod {

void Histogram::Record(std::uint64_t value, std::uint64_t times) {
  if (counts_.empty()) counts_.resize(buckets_.size());
  counts_[buckets_.IndexOf(value)] += times;
  count_ += times;
  sum_ += value * times;
}

Histogram& Histogram::operator+=(const Histogram& other) {
  ECHOD_DCHECK(buckets_ == other.buckets_);
  if (other.count_ == 0) return *this;
  if (counts_.empty()) counts_.resize(buckets_.size());
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    counts_[i] += other.counts_[i];
  }
  count_ += other.count_;
  sum_ += other.sum_;
  return *this;
}

Histogram& Histogram::operator-=(const Histogram& other) {
  ECHOD_DCHECK(buckets_ == other.buckets_);
  if (other.count_ == 0) return *this;
  ECHOD_DCHECK(count_ >= other.count_);
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    counts_[i] -= other.counts_[i];
  }
  count_ -= other.count_;
  sum_ -= other.sum_;
  return *this;
}

void Histogram::Clear() { *this = Histogram(buckets_); }

double Histogram::Mean() const {
  if (count_ == 0) return 0;
  return static_cast<double>(sum_) / static_cast<double>(count_);
}

std::uint64_t Histogram::Least() const {
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    if (counts_[i] > 0) return i == 0 ? 0 : buckets_.HighestAt(i - 1) + 1;
  }
  return 0;
}

std::uint64_t Histogram::Greatest() const {
  for (std::size_t i = counts_.size(); i > 0; --i) {
    if (counts_[i - 1] > 0) return buckets_.HighestAt(i - 1);
  }
  return 0;
}

std::uint64_t Histogram::Percentile(double percent) const {
  if (count_ == 0) return 0;
  // Subtracts an epsilon: in binary, 99.9 % of 1,000 is slightly more than 999.
  constexpr double kSlack = 1e-9;
  const auto wanted = static_cast<std::uint64_t>(
      std::ceil(percent / 100 * static_cast<double>(count_) * (1 - kSlack)));
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    seen += counts_[i];
    if (counts_[i] > 0 && seen >= wanted) return buckets_.HighestAt(i);
  }
  return Greatest();
}

SharedHistogram::Counts* SharedHistogram::Allocate() {
  auto* const counts = new Counts();
  // Readers see zeros, or what has been recorded since.
  counts_.store(counts, std::memory_order_release);
  return counts;
}

void SharedHistogram::AddTo(Histogram& histogram) const {
  ECHOD_DCHECK(histogram.buckets_ == kFigureBuckets);
  const Counts* const counts = counts_.load(std::memory_order_acquire);
  if (counts == nullptr) return;
  if (histogram.counts_.empty()) histogram.counts_.resize(counts->size());
  for (std::size_t i = 0; i < counts->size(); ++i) {
    const std::uint64_t count = (*counts)[i].load(std::memory_order_relaxed);
    histogram.counts_[i] += count;
    histogram.count_ += count;
  }
  histogram.sum_ += sum_.load(std::memory_order_relaxed);
}

}  // namespace echod
