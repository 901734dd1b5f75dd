// SPDX-License-Identifier: Apache-2.0

#ifndef TESTS_LOAD_LATENCY_HISTOGRAM_H_
#define TESTS_LOAD_LATENCY_HISTOGRAM_H_

#include <cstddef>
#include <cstdint>
#include <ostream>
#include <vector>

namespace echod::load {

// Counts latencies, in nanoseconds, with a precision of 0.1 %, in constant
// memory. Uses the buckets of an HDR histogram (Gil Tene's high dynamic range
// histogram): 1,024 of equal width per power of two. Not thread-safe.
class LatencyHistogram {
 public:
  // The longest latency, about an hour and a quarter. Longer ones count as
  // this.
  static constexpr std::uint64_t kLongest = (1ULL << 42) - 1;

  LatencyHistogram();

  // Counts `nanoseconds`, `times` times.
  void Record(std::uint64_t nanoseconds, std::uint64_t times = 1);

  // Adds the counts of another histogram.
  void Add(const LatencyHistogram& other);

  void Clear();

  std::uint64_t count() const { return count_; }
  std::uint64_t Least() const;
  std::uint64_t Greatest() const;
  double Mean() const;
  double StandardDeviation() const;

  // The latency that `percent` (0 to 100) of all counted latencies do not
  // exceed; 0 if nothing was counted.
  std::uint64_t Percentile(double percent) const;

  // Writes the distribution in the .hgrm format of HDR histogram plotters, with
  // values in microseconds.
  void WriteHgrm(std::ostream& out) const;

 private:
  static std::size_t IndexOf(std::uint64_t nanoseconds);
  // The greatest value in the bucket `index`.
  static std::uint64_t HighestAt(std::size_t index);

  std::vector<std::uint64_t> counts_;
  std::uint64_t count_ = 0;
};

}  // namespace echod::load

#endif  // TESTS_LOAD_LATENCY_HISTOGRAM_H_
