// SPDX-License-Identifier: Apache-2.0

#include "echo/base/histogram.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

namespace echod {
namespace {

constexpr HistogramBuckets kFine{.precision_bits = 10,
                                 .greatest = (1ULL << 42) - 1};

// Values of all magnitudes.
std::vector<std::uint64_t> RandomValues(int count, double most_bits) {
  std::mt19937_64 random(7);
  std::uniform_real_distribution<double> exponent(0, most_bits);
  std::vector<std::uint64_t> values;
  for (int i = 0; i < count; ++i) {
    values.push_back(static_cast<std::uint64_t>(std::exp2(exponent(random))));
  }
  return values;
}

TEST(HistogramTest, BucketsCoverEveryValueInOrder) {
  for (const HistogramBuckets& buckets : {kFine, kFigureBuckets}) {
    const std::uint64_t parts = 1ULL << buckets.precision_bits;
    std::uint64_t lowest = 0;
    for (std::size_t i = 0; i < buckets.size(); ++i) {
      const std::uint64_t highest = buckets.HighestAt(i);
      ASSERT_GE(highest, lowest);
      ASSERT_EQ(buckets.IndexOf(lowest), i);
      ASSERT_EQ(buckets.IndexOf(highest), i);
      // The bound of the error.
      ASSERT_LE((highest - lowest) * parts, lowest);
      lowest = highest + 1;
    }
    EXPECT_EQ(lowest - 1, buckets.greatest);
  }
}

TEST(HistogramTest, IsEmptyAtFirst) {
  const Histogram histogram(kFine);
  EXPECT_EQ(histogram.count(), 0u);
  EXPECT_EQ(histogram.sum(), 0u);
  EXPECT_EQ(histogram.Percentile(99), 0u);
  EXPECT_EQ(histogram.Least(), 0u);
  EXPECT_EQ(histogram.Greatest(), 0u);
  EXPECT_EQ(histogram.Mean(), 0);
  histogram.ForEachBucket(
      [](std::uint64_t, std::uint64_t) { ADD_FAILURE() << "a bucket"; });
}

TEST(HistogramTest, IsExactForSmallValues) {
  Histogram histogram(kFine);
  for (std::uint64_t i = 1; i <= 1000; ++i) histogram.Record(i);
  EXPECT_EQ(histogram.Least(), 1u);
  EXPECT_EQ(histogram.Percentile(0), 1u);
  EXPECT_EQ(histogram.Percentile(50), 500u);
  EXPECT_EQ(histogram.Percentile(99.9), 999u);
  EXPECT_EQ(histogram.Percentile(100), 1000u);
  EXPECT_EQ(histogram.sum(), 500'500u);
  EXPECT_DOUBLE_EQ(histogram.Mean(), 500.5);
}

TEST(HistogramTest, PercentilesAreWithinTheirBoundOfTheTruth) {
  for (const HistogramBuckets& buckets : {kFine, kFigureBuckets}) {
    Histogram histogram(buckets);
    std::vector<std::uint64_t> values = RandomValues(20'000, 40);
    for (const std::uint64_t value : values) histogram.Record(value);
    std::sort(values.begin(), values.end());
    const double bound =
        1 + 1 / std::exp2(static_cast<double>(buckets.precision_bits));
    for (const double percent : {1.0, 10.0, 50.0, 90.0, 99.0, 99.9, 100.0}) {
      const auto rank = static_cast<std::size_t>(
          std::ceil(percent / 100 * static_cast<double>(values.size())));
      const auto truth = static_cast<double>(values[rank - 1]);
      const auto told = static_cast<double>(histogram.Percentile(percent));
      EXPECT_GE(told, truth) << percent;
      EXPECT_LE(told, truth * bound) << percent;
    }
  }
}

TEST(HistogramTest, CountsWhatIsTooGreatAsTheGreatest) {
  Histogram histogram(kFine);
  histogram.Record(~0ULL);
  EXPECT_EQ(histogram.Greatest(), kFine.greatest);
  SharedHistogram shared;
  shared.Record(~0ULL);
  Histogram read = FigureHistogram();
  shared.AddTo(read);
  EXPECT_EQ(read.Greatest(), kFigureBuckets.greatest);
}

TEST(HistogramTest, AddsTakesAwayAndClears) {
  Histogram a(kFine);
  Histogram b(kFine);
  a.Record(10, 3);
  b.Record(1'000'000);
  a += b;
  EXPECT_EQ(a.count(), 4u);
  EXPECT_EQ(a.sum(), 1'000'030u);
  EXPECT_EQ(a.Percentile(75), 10u);
  EXPECT_NEAR(static_cast<double>(a.Percentile(76)), 1e6, 1e3);
  a -= b;
  EXPECT_EQ(a.count(), 3u);
  EXPECT_EQ(a.sum(), 30u);
  EXPECT_EQ(a.Greatest(), 10u);
  a -= Histogram(kFine);
  a += Histogram(kFine);
  EXPECT_EQ(a.count(), 3u);
  a.Clear();
  EXPECT_EQ(a.count(), 0u);
  EXPECT_EQ(a.sum(), 0u);
  EXPECT_EQ(a.Greatest(), 0u);
}

// Whatever it is split into, the sum is the same.
TEST(HistogramTest, MergedPartsAreTheWhole) {
  Histogram whole = FigureHistogram();
  std::vector<Histogram> parts(3, FigureHistogram());
  const std::vector<std::uint64_t> values = RandomValues(5'000, 45);
  for (std::size_t i = 0; i < values.size(); ++i) {
    whole.Record(values[i]);
    parts[i % parts.size()].Record(values[i]);
  }
  Histogram merged = FigureHistogram();
  for (const Histogram& part : parts) merged += part;
  EXPECT_EQ(merged.count(), whole.count());
  EXPECT_EQ(merged.sum(), whole.sum());
  std::vector<std::pair<std::uint64_t, std::uint64_t>> expected;
  whole.ForEachBucket([&](std::uint64_t value, std::uint64_t times) {
    expected.emplace_back(value, times);
  });
  std::size_t at = 0;
  merged.ForEachBucket([&](std::uint64_t value, std::uint64_t times) {
    ASSERT_LT(at, expected.size());
    EXPECT_EQ(expected[at++], std::pair(value, times));
  });
  EXPECT_EQ(at, expected.size());
}

TEST(SharedHistogramTest, ReadsWhatWasRecorded) {
  SharedHistogram shared;
  Histogram read = FigureHistogram();
  shared.AddTo(read);
  EXPECT_EQ(read.count(), 0u);
  shared.Record(7);
  shared.Record(3'000, 2);
  shared.AddTo(read);
  EXPECT_EQ(read.count(), 3u);
  EXPECT_EQ(read.sum(), 6'007u);
  EXPECT_EQ(read.Least(), 7u);
  EXPECT_EQ(read.Percentile(100),
            kFigureBuckets.HighestAt(kFigureBuckets.IndexOf(3'000)));
}

// While one thread records, from the first value on, others read counts that
// only grow.
TEST(SharedHistogramTest, OthersReadWhileOneWrites) {
  constexpr std::uint64_t kValues = 200'000;
  SharedHistogram shared;
  std::atomic<bool> written = false;
  std::vector<std::thread> readers;
  for (int i = 0; i < 2; ++i) {
    readers.emplace_back([&] {
      std::uint64_t count = 0;
      std::uint64_t sum = 0;
      do {
        Histogram read = FigureHistogram();
        shared.AddTo(read);
        ASSERT_GE(read.count(), count);
        ASSERT_GE(read.sum(), sum);
        count = read.count();
        sum = read.sum();
      } while (!written.load());
    });
  }
  for (std::uint64_t i = 0; i < kValues; ++i) shared.Record(i * i);
  written.store(true);
  for (std::thread& reader : readers) reader.join();
  Histogram read = FigureHistogram();
  shared.AddTo(read);
  EXPECT_EQ(read.count(), kValues);
  // The sum of the squares.
  EXPECT_EQ(read.sum(), (kValues - 1) * kValues * (2 * kValues - 1) / 6);
}

}  // namespace
}  // namespace echod
