// SPDX-License-Identifier: Apache-2.0

#include "admin/http/exposition.h"

#include <prometheus/client_metric.h>
#include <prometheus/metric_type.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "gtest/gtest.h"

namespace echod {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

ClientMetric Counter(double value,
                     std::vector<ClientMetric::Label> labels = {}) {
  ClientMetric metric;
  metric.label = std::move(labels);
  metric.counter.value = value;
  return metric;
}

ClientMetric Gauge(double value, std::vector<ClientMetric::Label> labels = {}) {
  ClientMetric metric;
  metric.label = std::move(labels);
  metric.gauge.value = value;
  return metric;
}

MetricFamily Family(std::string name, MetricType type,
                    std::vector<ClientMetric> metrics,
                    std::string help = "Help.") {
  MetricFamily family;
  family.name = std::move(name);
  family.help = std::move(help);
  family.type = type;
  family.metric = std::move(metrics);
  return family;
}

std::vector<MetricFamily> Everything() {
  ClientMetric histogram;
  histogram.label = {{"worker", "1"}};
  histogram.histogram.sample_count = 7;
  histogram.histogram.sample_sum = 3.25;
  histogram.histogram.bucket = {{.cumulative_count = 2, .upper_bound = 0.001},
                                {.cumulative_count = 5, .upper_bound = 1}};
  ClientMetric bounded = histogram;
  bounded.label.clear();
  bounded.histogram.bucket.push_back(
      {.cumulative_count = 7,
       .upper_bound = std::numeric_limits<double>::infinity()});
  return {
      Family("bytes_total", MetricType::Counter,
             {Counter(0), Counter(9007199254740992.0, {{"listener", "a"}}),
              Counter(1e18, {{"listener", "b"}, {"reason", "c"}}),
              Counter(1.0 / 3, {{"listener", "d"}})}),
      Family("level", MetricType::Gauge,
             {Gauge(-5), Gauge(0.1), Gauge(1e-9), Gauge(1e300),
              Gauge(std::numeric_limits<double>::infinity()),
              Gauge(-std::numeric_limits<double>::infinity()),
              Gauge(std::nan(""))}),
      Family("build_info", MetricType::Gauge,
             {Gauge(1, {{"version", "a\"b\\c\nd"}})}),
      Family("none_total", MetricType::Counter, {}),
      Family("seconds", MetricType::Histogram, {histogram, bounded}),
  };
}

// The lines, each with a number at its end in the same form.
std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines = absl::StrSplit(text, '\n');
  for (std::string& line : lines) {
    const std::size_t space = line.rfind(' ');
    double value = 0;
    if (line.empty() || line[0] == '#' ||
        !absl::SimpleAtod(line.substr(space + 1), &value)) {
      continue;
    }
    // prometheus-cpp writes 16 digits.
    char digits[32];
    snprintf(digits, sizeof digits, "%.15g", value);
    line = line.substr(0, space + 1) + digits;
  }
  // The samples of a histogram come in another order.
  std::sort(lines.begin(), lines.end());
  return lines;
}

TEST(ExpositionTest, TextIsThatOfPrometheusCpp) {
  const std::vector<MetricFamily> families = Everything();
  EXPECT_EQ(Lines(Expose(families, ExpositionFormat::kText)),
            Lines(prometheus::TextSerializer().Serialize(families)));
}

TEST(ExpositionTest, HelpIsEscaped) {
  const std::vector<MetricFamily> families = {
      Family("a", MetricType::Gauge, {}, "A \"b\" \\ c\nd.")};
  EXPECT_EQ(Expose(families, ExpositionFormat::kText),
            "# HELP a A \"b\" \\\\ c\\nd.\n# TYPE a gauge\n");
  EXPECT_EQ(Expose(families, ExpositionFormat::kOpenMetrics),
            "# HELP a A \\\"b\\\" \\\\ c\\nd.\n# TYPE a gauge\n# EOF\n");
}

TEST(ExpositionTest, NumbersAreExact) {
  const std::string text =
      Expose({Family("a", MetricType::Gauge,
                     {Gauge(0), Gauge(9007199254740991), Gauge(1e6), Gauge(0.1),
                      Gauge(0.1 + 0.2)})},
             ExpositionFormat::kText);
  EXPECT_EQ(text,
            "# HELP a Help.\n# TYPE a gauge\n"
            "a 0\na 9007199254740991\na 1000000\na 0.1\n"
            "a 0.30000000000000004\n");
}

TEST(ExpositionTest, OpenMetricsNamesFamiliesWithoutSuffixes) {
  EXPECT_EQ(Expose(Everything(), ExpositionFormat::kOpenMetrics),
            R"(# HELP bytes Help.
# TYPE bytes counter
bytes_total 0
bytes_total{listener="a"} 9007199254740992
bytes_total{listener="b",reason="c"} 1e+18
bytes_total{listener="d"} 0.3333333333333333
# HELP level Help.
# TYPE level gauge
level -5
level 0.1
level 1e-09
level 1e+300
level +Inf
level -Inf
level NaN
# HELP build Help.
# TYPE build info
build_info{version="a\"b\\c\nd"} 1
# HELP none Help.
# TYPE none counter
# HELP seconds Help.
# TYPE seconds histogram
seconds_bucket{worker="1",le="0.001"} 2
seconds_bucket{worker="1",le="1.0"} 5
seconds_bucket{worker="1",le="+Inf"} 7
seconds_sum{worker="1"} 3.25
seconds_count{worker="1"} 7
seconds_bucket{le="0.001"} 2
seconds_bucket{le="1.0"} 5
seconds_bucket{le="+Inf"} 7
seconds_sum 3.25
seconds_count 7
# EOF
)");
}

TEST(ExpositionTest, TheAcceptHeaderChooses) {
  constexpr auto kText = ExpositionFormat::kText;
  constexpr auto kOpenMetrics = ExpositionFormat::kOpenMetrics;
  struct Case {
    const char* accept;
    ExpositionFormat format;
  };
  for (const Case& each : {
           Case{"", kText},
           {"*/*", kText},
           {"text/html,application/xml;q=0.9,*/*;q=0.8", kText},
           {"text/plain", kText},
           {"application/openmetrics-text", kOpenMetrics},
           {"Application/OpenMetrics-Text ; Version=1.0.0 ; Q=0.2",
            kOpenMetrics},
           // Prometheus 2.42
           {"application/openmetrics-text;version=1.0.0,"
            "application/openmetrics-text;version=0.0.1;q=0.75,"
            "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            kOpenMetrics},
           // Prometheus 3
           {"application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;"
            "q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,"
            "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,"
            "text/plain;version=0.0.4;q=0.2,/;q=0.1",
            kOpenMetrics},
           {"application/openmetrics-text;q=0.1,text/plain;q=0.9", kText},
           {"application/openmetrics-text;q=0", kText},
           {"application/openmetrics-text;version=2.0.0", kText},
           {"application/openmetrics-text;q=lots", kText},
           {"application/openmetrics-text;q=nan", kText},
           {",;=,;q", kText},
       }) {
    EXPECT_EQ(FormatFor(each.accept), each.format) << each.accept;
  }
  EXPECT_EQ(ContentTypeOf(kText), "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_EQ(ContentTypeOf(kOpenMetrics),
            "application/openmetrics-text; version=1.0.0; charset=utf-8");
}

}  // namespace
}  // namespace echod
