// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_BASE_HISTOGRAM_H_
#define ECHO_BASE_HISTOGRAM_H_

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace echod {

// The buckets of a log-linear histogram of whole numbers, as an HDR histogram
// (Gil Tene's high dynamic range histogram) has them: 2^precision_bits of equal
// width for each power of two. So no value of a bucket differs from another by
// more than 1 part in 2^precision_bits, and values below
// 2^(precision_bits + 1) have buckets of their own.
struct HistogramBuckets {
  int precision_bits = 0;
  std::uint64_t greatest = 0;  // greater values count as this one

  constexpr bool operator==(const HistogramBuckets&) const = default;

  constexpr std::size_t size() const { return IndexOf(greatest) + 1; }

  constexpr std::size_t IndexOf(std::uint64_t value) const {
    value = std::min(value, greatest);
    const int shift = std::max(
        0, static_cast<int>(std::bit_width(value)) - precision_bits - 1);
    return (static_cast<std::size_t>(shift) << precision_bits) +
           (value >> shift);
  }

  // The greatest value in the bucket `index`.
  constexpr std::uint64_t HighestAt(std::size_t index) const {
    const std::size_t power = index >> precision_bits;
    if (power < 2) return index;
    const std::size_t shift = power - 1;
    const std::uint64_t first = (index - (shift << precision_bits)) << shift;
    return first + (1ULL << shift) - 1;
  }
};

// How often values occurred, and their sum. A plain value: not thread-safe. It
// has no memory of its own until something is counted.
class Histogram {
 public:
  explicit Histogram(HistogramBuckets buckets) : buckets_(buckets) {}

  // Counts `value`, `times` times.
  void Record(std::uint64_t value, std::uint64_t times = 1);

  // Adds, or takes away, the counts of a histogram with the same buckets. What
  // is taken away must have been counted here before.
  Histogram& operator+=(const Histogram& other);
  Histogram& operator-=(const Histogram& other);

  void Clear();

  const HistogramBuckets& buckets() const { return buckets_; }
  std::uint64_t count() const { return count_; }
  // Exact.
  std::uint64_t sum() const { return sum_; }
  double Mean() const;

  // 0 if nothing was counted; otherwise the least value of the lowest bucket
  // that counts something, and the greatest one of the highest.
  std::uint64_t Least() const;
  std::uint64_t Greatest() const;

  // The value that `percent` (0 to 100) of all values do not exceed: the
  // greatest of its bucket. 0 if nothing was counted.
  std::uint64_t Percentile(double percent) const;

  // Calls `visit(highest value, count)` for each bucket that counts something,
  // in ascending order.
  template <typename Visit>
  void ForEachBucket(Visit visit) const {
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      if (counts_[i] > 0) visit(buckets_.HighestAt(i), counts_[i]);
    }
  }

 private:
  friend class SharedHistogram;

  HistogramBuckets buckets_;
  std::vector<std::uint64_t> counts_;  // empty, or one for each bucket
  std::uint64_t count_ = 0;
  std::uint64_t sum_ = 0;
};

// The precision of all figures that the server shows: a value that is read is
// at most 1/16 (6.25 %) above the one that was recorded.
inline constexpr HistogramBuckets kFigureBuckets{.precision_bits = 4,
                                                 .greatest = (1ULL << 46) - 1};

// An empty histogram of that precision.
inline Histogram FigureHistogram() { return Histogram(kFigureBuckets); }

// A histogram with kFigureBuckets that one thread writes and any thread reads.
// Recording is two additions without a locked instruction. It takes 16 bytes,
// and from the first value on 5.4 KiB more.
class SharedHistogram {
 public:
  SharedHistogram() = default;
  SharedHistogram(const SharedHistogram&) = delete;
  SharedHistogram& operator=(const SharedHistogram&) = delete;
  ~SharedHistogram() { delete counts_.load(std::memory_order_relaxed); }

  // Writing thread only.
  void Record(std::uint64_t value, std::uint64_t times = 1) {
    Counts* counts = counts_.load(std::memory_order_relaxed);
    if (counts == nullptr) [[unlikely]] {
      counts = Allocate();
    }
    Add((*counts)[kFigureBuckets.IndexOf(value)], times);
    Add(sum_, value * times);
  }

  // Adds what has been recorded to `histogram`, which has kFigureBuckets.
  // Buckets and sum are read one by one, so that they may differ by what is
  // recorded meanwhile; none of them ever goes back. Thread-safe.
  void AddTo(Histogram& histogram) const;

 private:
  using Counts = std::array<std::atomic<std::uint64_t>, kFigureBuckets.size()>;

  static void Add(std::atomic<std::uint64_t>& number, std::uint64_t delta) {
    number.store(number.load(std::memory_order_relaxed) + delta,
                 std::memory_order_relaxed);
  }
  Counts* Allocate();

  std::atomic<Counts*> counts_{nullptr};  // owned
  std::atomic<std::uint64_t> sum_{0};
};

}  // namespace echod

#endif  // ECHO_BASE_HISTOGRAM_H_
