// SPDX-License-Identifier: Apache-2.0

#include "tests/load/latency_histogram.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace echod::load {
namespace {

TEST(LatencyHistogramTest, IsEmptyAtFirst) {
  const LatencyHistogram histogram;
  EXPECT_EQ(histogram.count(), 0u);
  EXPECT_EQ(histogram.Percentile(99), 0u);
  EXPECT_EQ(histogram.Least(), 0u);
  EXPECT_EQ(histogram.Greatest(), 0u);
  EXPECT_EQ(histogram.Mean(), 0);
}

TEST(LatencyHistogramTest, IsExactForSmallValues) {
  LatencyHistogram histogram;
  for (std::uint64_t i = 1; i <= 1000; ++i) histogram.Record(i);
  EXPECT_EQ(histogram.Least(), 1u);
  EXPECT_EQ(histogram.Percentile(0), 1u);
  EXPECT_EQ(histogram.Percentile(50), 500u);
  EXPECT_EQ(histogram.Percentile(99.9), 999u);
  EXPECT_EQ(histogram.Percentile(100), 1000u);
  EXPECT_DOUBLE_EQ(histogram.Mean(), 500.5);
  EXPECT_NEAR(histogram.StandardDeviation(), 288.675, 0.001);
}

TEST(LatencyHistogramTest, IsWithinATenthOfAPercentOfTheTruth) {
  std::mt19937_64 random(7);
  std::uniform_real_distribution<double> exponent(0, 40);
  LatencyHistogram histogram;
  std::vector<std::uint64_t> values;
  for (int i = 0; i < 20'000; ++i) {
    const auto value = static_cast<std::uint64_t>(std::exp2(exponent(random)));
    values.push_back(value);
    histogram.Record(value);
  }
  std::sort(values.begin(), values.end());
  for (const double percent : {1.0, 10.0, 50.0, 90.0, 99.0, 99.9, 100.0}) {
    const auto rank = static_cast<std::size_t>(
        std::ceil(percent / 100 * static_cast<double>(values.size())));
    const auto truth = static_cast<double>(values[rank - 1]);
    const auto told = static_cast<double>(histogram.Percentile(percent));
    EXPECT_GE(told, truth) << percent;
    EXPECT_LE(told, truth * 1.001) << percent;
  }
}

TEST(LatencyHistogramTest, CountsWhatIsTooLongAsTheLongest) {
  LatencyHistogram histogram;
  histogram.Record(~0ULL);
  EXPECT_EQ(histogram.Greatest(), LatencyHistogram::kLongest);
}

TEST(LatencyHistogramTest, AddsAndClears) {
  LatencyHistogram a;
  LatencyHistogram b;
  a.Record(10, 3);
  b.Record(1'000'000);
  a.Add(b);
  EXPECT_EQ(a.count(), 4u);
  EXPECT_EQ(a.Percentile(75), 10u);
  EXPECT_NEAR(static_cast<double>(a.Percentile(76)), 1e6, 1e3);
  a.Clear();
  EXPECT_EQ(a.count(), 0u);
  EXPECT_EQ(a.Greatest(), 0u);
}

// The format of plotters: value in microseconds, quantile, cumulative count,
// and 1 / (1 - quantile); comments at the end.
TEST(LatencyHistogramTest, WritesHgrm) {
  LatencyHistogram histogram;
  for (std::uint64_t i = 1; i <= 100; ++i) histogram.Record(i * 10);
  std::ostringstream out;
  histogram.WriteHgrm(out);
  std::istringstream in(out.str());
  std::string line;
  std::getline(in, line);
  EXPECT_NE(line.find("1/(1-Percentile)"), std::string::npos);
  std::getline(in, line);
  EXPECT_EQ(line, "");
  double last_value = 0;
  double last_quantile = -1;
  std::uint64_t total = 0;
  while (std::getline(in, line) && line[0] != '#') {
    std::istringstream words(line);
    double value = 0;
    double quantile = 0;
    double inverse = 0;
    ASSERT_TRUE(words >> value >> quantile >> total) << line;
    EXPECT_GE(value, last_value);
    EXPECT_GT(quantile, last_quantile);
    EXPECT_LE(quantile, static_cast<double>(total) / 100);
    if (words >> inverse) {
      EXPECT_NEAR(inverse, 1 / (1 - quantile), 0.01);
    }
    last_value = value;
    last_quantile = quantile;
  }
  EXPECT_EQ(last_quantile, 1);
  EXPECT_EQ(last_value, 1.0);  // microseconds
  EXPECT_EQ(total, 100u);
  EXPECT_NE(out.str().find("Total count    =          100]"),
            std::string::npos);
}

}  // namespace
}  // namespace echod::load
