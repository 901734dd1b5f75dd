// SPDX-License-Identifier: Apache-2.0

#ifndef TESTS_LOAD_LATENCY_HISTOGRAM_H_
#define TESTS_LOAD_LATENCY_HISTOGRAM_H_

#include <cstddef>
#include <cstdint>
#include <ostream>
#include <vector>

namespace echod::load {

// Counts of latencies, in nanoseconds, each to within 0.1 %, in constant
// memory: the buckets of an HDR histogram (Gil Tene's high dynamic range
// histogram), 1,024 of equal width for each power of two. One thread.
class LatencyHistogram {
 public:
  // The longest that is told apart: about an hour and a quarter. What is longer
  // counts as that.
  static constexpr std::uint64_t kLongest = (1ULL << 42) - 1;

  LatencyHistogram();

  // Counts `nanoseconds` as often as `times` says.
  void Record(std::uint64_t nanoseconds, std::uint64_t times = 1);

  // Adds what the other has counted.
  void Add(const LatencyHistogram& other);

  void Clear();

  std::uint64_t count() const { return count_; }
  std::uint64_t Least() const;
  std::uint64_t Greatest() const;
  double Mean() const;
  double StandardDeviation() const;

  // The latency that `percent` of those counted do not exceed; 0 when there are
  // none. `percent` is from 0 to 100.
  std::uint64_t Percentile(double percent) const;

  // Writes the distribution in the .hgrm format that HDR histogram plotters
  // read, with values in microseconds.
  void WriteHgrm(std::ostream& out) const;

 private:
  static std::size_t IndexOf(std::uint64_t nanoseconds);
  // The greatest value that is counted at `index`.
  static std::uint64_t HighestAt(std::size_t index);

  std::vector<std::uint64_t> counts_;
  std::uint64_t count_ = 0;
};

}  // namespace echod::load

#endif  // TESTS_LOAD_LATENCY_HISTOGRAM_H_
