// SPDX-License-Identifier: Apache-2.0

#ifndef ADMIN_HTTP_EXPOSITION_H_
#define ADMIN_HTTP_EXPOSITION_H_

#include <prometheus/metric_family.h>

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace echod {

// The formats that Prometheus reads.
enum class ExpositionFormat {
  kText,         // Prometheus' own, version 0.0.4
  kOpenMetrics,  // version 1.0.0
};

// The format that a client prefers, by the value of its Accept header. Text if
// it names neither.
ExpositionFormat FormatFor(absl::string_view accept);

// The Content-Type of a format.
absl::string_view ContentTypeOf(ExpositionFormat format);

// Writes families of counters, gauges and histograms. Names are Prometheus':
// those of counters end in `_total`, and gauges that end in `_info` are infos
// in OpenMetrics.
std::string Expose(const std::vector<prometheus::MetricFamily>& families,
                   ExpositionFormat format);

}  // namespace echod

#endif  // ADMIN_HTTP_EXPOSITION_H_
