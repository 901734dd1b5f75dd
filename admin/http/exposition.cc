// SPDX-License-Identifier: Apache-2.0

#include "admin/http/exposition.h"

#include <prometheus/client_metric.h>
#include <prometheus/metric_type.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "echo/base/check.h"

namespace echod {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

// Whole numbers without an exponent, others as short as they can be read back.
std::string Number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  constexpr double kExact = 9007199254740992;  // 2^53
  if (std::trunc(value) == value && std::abs(value) <= kExact) {
    return absl::StrCat(static_cast<std::int64_t>(value));
  }
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, value).ptr};
}

// OpenMetrics wants a decimal point in the bounds of buckets.
std::string Bound(double value, ExpositionFormat format) {
  std::string number = Number(value);
  if (format == ExpositionFormat::kOpenMetrics &&
      number.find_first_not_of("-0123456789") == std::string::npos) {
    number += ".0";
  }
  return number;
}

std::string Escaped(absl::string_view text, bool quotes) {
  std::string escaped;
  for (const char c : text) {
    if (c == '\n') {
      escaped += "\\n";
      continue;
    }
    if (c == '\\' || (quotes && c == '"')) escaped += '\\';
    escaped += c;
  }
  return escaped;
}

// {name="value",...}, with `more` as the last label if there is one.
std::string Labels(const ClientMetric& metric,
                   const std::optional<ClientMetric::Label>& more = {}) {
  std::string text;
  const auto add = [&text](const ClientMetric::Label& label) {
    absl::StrAppend(&text, text.empty() ? "{" : ",", label.name, "=\"",
                    Escaped(label.value, /*quotes=*/true), "\"");
  };
  for (const ClientMetric::Label& label : metric.label) add(label);
  if (more.has_value()) add(*more);
  return text.empty() ? text : absl::StrCat(text, "}");
}

void AddHistogram(std::string& out, const std::string& name,
                  const ClientMetric& metric, ExpositionFormat format) {
  const ClientMetric::Histogram& histogram = metric.histogram;
  const auto bucket = [&](double bound, std::uint64_t count) {
    absl::StrAppend(
        &out, name, "_bucket",
        Labels(metric, ClientMetric::Label{"le", Bound(bound, format)}), " ",
        count, "\n");
  };
  double last = 0;
  for (const ClientMetric::Bucket& one : histogram.bucket) {
    bucket(one.upper_bound, one.cumulative_count);
    last = one.upper_bound;
  }
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (last != kInfinity) bucket(kInfinity, histogram.sample_count);
  const std::string labels = Labels(metric);
  absl::StrAppend(&out, name, "_sum", labels, " ", Number(histogram.sample_sum),
                  "\n", name, "_count", labels, " ", histogram.sample_count,
                  "\n");
}

void AddFamily(std::string& out, const MetricFamily& family,
               ExpositionFormat format) {
  const bool open_metrics = format == ExpositionFormat::kOpenMetrics;
  // In OpenMetrics the suffixes belong to the samples.
  absl::string_view name = family.name;
  absl::string_view type;
  switch (family.type) {
    case MetricType::Counter:
      type = "counter";
      if (open_metrics) name = absl::StripSuffix(name, "_total");
      break;
    case MetricType::Gauge:
      type = "gauge";
      if (open_metrics && absl::ConsumeSuffix(&name, "_info")) type = "info";
      break;
    case MetricType::Histogram:
      type = "histogram";
      break;
    case MetricType::Summary:
    case MetricType::Untyped:
      ECHOD_CHECK(false);
  }
  absl::StrAppend(&out, "# HELP ", name, " ",
                  Escaped(family.help, /*quotes=*/open_metrics), "\n# TYPE ",
                  name, " ", type, "\n");
  for (const ClientMetric& metric : family.metric) {
    if (family.type == MetricType::Histogram) {
      AddHistogram(out, family.name, metric, format);
      continue;
    }
    const double value = family.type == MetricType::Counter
                             ? metric.counter.value
                             : metric.gauge.value;
    absl::StrAppend(&out, family.name, Labels(metric), " ", Number(value),
                    "\n");
  }
}

// One media range of an Accept header.
struct MediaRange {
  std::string type;
  std::string version;
  double quality = 1;
};

std::optional<MediaRange> ParseMediaRange(absl::string_view text) {
  const std::vector<absl::string_view> parts = absl::StrSplit(text, ';');
  MediaRange range;
  range.type = absl::AsciiStrToLower(absl::StripAsciiWhitespace(parts.front()));
  for (std::size_t i = 1; i < parts.size(); ++i) {
    const std::vector<absl::string_view> pair =
        absl::StrSplit(parts[i], absl::MaxSplits('=', 1));
    if (pair.size() != 2) continue;
    const std::string name =
        absl::AsciiStrToLower(absl::StripAsciiWhitespace(pair[0]));
    const absl::string_view value = absl::StripAsciiWhitespace(pair[1]);
    if (name == "version") range.version = std::string(value);
    if (name == "q" && !absl::SimpleAtod(value, &range.quality)) {
      return std::nullopt;
    }
  }
  return range;
}

}  // namespace

ExpositionFormat FormatFor(absl::string_view accept) {
  double open_metrics = 0;
  double text = 0;
  for (const absl::string_view part : absl::StrSplit(accept, ',')) {
    const std::optional<MediaRange> range = ParseMediaRange(part);
    if (!range.has_value()) continue;
    if (range->type == "application/openmetrics-text" &&
        (range->version.empty() || range->version == "1.0.0")) {
      open_metrics = std::max(open_metrics, range->quality);
    }
    if (range->type == "text/plain" &&
        (range->version.empty() || range->version == "0.0.4")) {
      text = std::max(text, range->quality);
    }
  }
  return open_metrics > 0 && open_metrics >= text
             ? ExpositionFormat::kOpenMetrics
             : ExpositionFormat::kText;
}

absl::string_view ContentTypeOf(ExpositionFormat format) {
  return format == ExpositionFormat::kOpenMetrics
             ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
             : "text/plain; version=0.0.4; charset=utf-8";
}

std::string Expose(const std::vector<MetricFamily>& families,
                   ExpositionFormat format) {
  std::string out;
  for (const MetricFamily& family : families) AddFamily(out, family, format);
  if (format == ExpositionFormat::kOpenMetrics) out += "# EOF\n";
  return out;
}

}  // namespace echod
