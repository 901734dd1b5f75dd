// SPDX-License-Identifier: Apache-2.0

#include "tests/load/hgrm.h"

#include <cstdint>
#include <sstream>
#include <string>

#include "gtest/gtest.h"

namespace echod::load {
namespace {

// The format of plotters: value in microseconds, quantile, cumulative count,
// and 1 / (1 - quantile); comments at the end.
TEST(HgrmTest, WritesHgrm) {
  Histogram histogram(kLatencyBuckets);
  for (std::uint64_t i = 1; i <= 100; ++i) histogram.Record(i * 10);
  std::ostringstream out;
  WriteHgrm(histogram, out);
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
  EXPECT_NE(out.str().find("#[Mean    =        0.505, StdDeviation   =        "
                           "0.289]"),
            std::string::npos)
      << out.str();
}

TEST(HgrmTest, WritesNoRowsOfNothing) {
  std::ostringstream out;
  WriteHgrm(Histogram(kLatencyBuckets), out);
  EXPECT_NE(out.str().find("Total count    =            0]"), std::string::npos)
      << out.str();
}

// 0.1 %: what echoload reports is as exact as that.
TEST(HgrmTest, LatenciesAreWithinATenthOfAPercent) {
  for (std::uint64_t value = 1; value < kLatencyBuckets.greatest / 3;
       value = value * 3 + 1) {
    Histogram histogram(kLatencyBuckets);
    histogram.Record(value);
    EXPECT_GE(histogram.Greatest(), value);
    EXPECT_LE(static_cast<double>(histogram.Greatest()),
              static_cast<double>(value) * 1.001);
  }
}

}  // namespace
}  // namespace echod::load
