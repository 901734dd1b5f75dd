// SPDX-License-Identifier: Apache-2.0

#include "admin/http/metric_table.h"

#include <prometheus/metric_type.h>

#include <algorithm>
#include <cctype>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "echo/base/histogram.h"
#include "gtest/gtest.h"

namespace echod {
namespace {

using prometheus::MetricFamily;
using prometheus::MetricType;

// With a sample of each family.
std::vector<MetricFamily> Families() {
  Stats stats;
  stats.listeners["default"] = {};
  stats.workers.resize(1);
  stats.loop_lag.push_back(FigureHistogram());
  HttpFigures http;
  http.answers[200] = 1;
  return CollectMetrics({.stats = stats,
                         .server = {},
                         .admin = AdminCounters(),
                         .http = http,
                         .health = {},
                         .process = ProcessFigureReader().Read(),
                         .version = "1.2.3"});
}

std::string TypeName(MetricType type) {
  switch (type) {
    case MetricType::Counter:
      return "counter";
    case MetricType::Gauge:
      return "gauge";
    case MetricType::Histogram:
      return "histogram";
    default:
      return "";
  }
}

std::string Labels(const MetricFamily& family) {
  std::vector<std::string> names;
  for (const auto& label : family.metric.at(0).label) {
    names.push_back(absl::StrCat("`", label.name, "`"));
  }
  return absl::StrJoin(names, ", ");
}

std::string Guide() {
  std::ifstream file("docs/metrics.md");
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(MetricTableTest, NamesAreUniqueAndByTheConventions) {
  std::set<std::string> names;
  for (const MetricFamily& family : Families()) {
    EXPECT_TRUE(names.insert(family.name).second) << family.name;
    EXPECT_TRUE(absl::StartsWith(family.name, "echod_") ||
                absl::StartsWith(family.name, "process_"))
        << family.name;
    EXPECT_EQ(family.type == MetricType::Counter,
              absl::EndsWith(family.name, "_total"))
        << family.name;
    EXPECT_TRUE(absl::EndsWith(family.help, ".")) << family.name;
    EXPECT_FALSE(family.metric.empty()) << family.name;
  }
}

TEST(MetricTableTest, HistogramsCountBelowABoundWhatIsCertainlyBelow) {
  Stats stats;
  Histogram& latency = stats.listeners["a"].echo_latency;
  latency.Record(900, 2);          // ns, below 1 us
  latency.Record(1'000'000, 3);    // 1 ms, in a bucket that reaches beyond
  latency.Record(90'000'000'000);  // 90 s, above all bounds
  Histogram& deleted = stats.total.echo_latency;
  deleted += latency;
  deleted.Record(3000, 4);
  const std::vector<MetricFamily> families =
      CollectMetrics({.stats = stats,
                      .server = {},
                      .admin = AdminCounters(),
                      .http = {},
                      .health = {},
                      .process = {},
                      .version = ""});
  const auto family = std::find_if(
      families.begin(), families.end(), [](const MetricFamily& each) {
        return each.name == "echod_echo_latency_seconds";
      });
  ASSERT_NE(family, families.end());
  ASSERT_EQ(family->metric.size(), 2u);
  const auto& histogram = family->metric[0].histogram;
  EXPECT_EQ(histogram.sample_count, 6u);
  EXPECT_DOUBLE_EQ(histogram.sample_sum, 90.0030018);
  for (const auto& bucket : histogram.bucket) {
    EXPECT_EQ(bucket.cumulative_count, bucket.upper_bound < 2e-3 ? 2u : 5u)
        << bucket.upper_bound;
  }
  const auto& rest = family->metric[1];
  EXPECT_EQ(rest.label[0].value, "(deleted)");
  EXPECT_EQ(rest.histogram.sample_count, 4u);
  for (const auto& bucket : rest.histogram.bucket) {
    EXPECT_EQ(bucket.cumulative_count, bucket.upper_bound < 5e-6 ? 0u : 4u)
        << bucket.upper_bound;
  }
}

TEST(MetricTableTest, TheGuideHasEachMetric) {
  std::vector<std::string> rows;
  for (const MetricFamily& family : Families()) {
    rows.push_back(absl::StrCat("| `", family.name, "` | ",
                                TypeName(family.type), " | ", Labels(family),
                                " | ", family.help, " |"));
  }
  std::vector<std::string> said;
  const std::vector<std::string> lines = absl::StrSplit(Guide(), '\n');
  for (const std::string& line : lines) {
    if (absl::StartsWith(line, "| `echod_") ||
        absl::StartsWith(line, "| `process_")) {
      said.push_back(line);
    }
  }
  std::sort(rows.begin(), rows.end());
  std::sort(said.begin(), said.end());
  EXPECT_EQ(said, rows);
}

// Also those in queries.
TEST(MetricTableTest, TheGuideNamesNoOtherMetric) {
  std::set<std::string> names;
  for (const MetricFamily& family : Families()) names.insert(family.name);
  const std::string guide = Guide();
  ASSERT_NE(guide, "");
  const auto in_name = [](char c) { return std::islower(c) != 0 || c == '_'; };
  for (auto at = guide.begin(); at != guide.end();) {
    at = std::find_if(at, guide.end(), in_name);
    const auto end = std::find_if_not(at, guide.end(), in_name);
    const std::string word(at, end);
    at = end;
    if (word == "process_") continue;  // all of them
    if (absl::StartsWith(word, "echod_") ||
        absl::StartsWith(word, "process_")) {
      EXPECT_EQ(names.count(std::string(absl::StripSuffix(word, "_bucket"))),
                1u)
          << word;
    }
  }
}

}  // namespace
}  // namespace echod
