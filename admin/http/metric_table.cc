// SPDX-License-Identifier: Apache-2.0

#include "admin/http/metric_table.h"

#include <prometheus/client_metric.h>
#include <prometheus/metric_type.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "echo/base/histogram.h"
#include "echo/control/close_reason.h"
#include "echo/control/config_reloads.h"

namespace echod {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

// The upper bounds of the buckets of each kind of histogram, in seconds. Values
// were recorded in narrower buckets, one of which may straddle a bound here,
// and then counts above it: a value that counts above a bound is at most 1/17
// below.
constexpr double kEchoLatencyBounds[] = {
    1e-6, 2e-6, 5e-6, 1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3,
    5e-3, 0.01, 0.02, 0.05, 0.1,  0.2,  0.5,  1,    2,    5,    10};
constexpr double kConnectionDurationBounds[] = {
    1e-3, 2e-3, 5e-3, 0.01, 0.02, 0.05, 0.1,  0.2, 0.5, 1,   2,   5,  10,
    20,   50,   100,  200,  500,  1000, 2000, 5e3, 1e4, 2e4, 5e4, 1e5};
constexpr double kLoopLagBounds[] = {1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3,
                                     2e-3, 5e-3, 0.01, 0.02, 0.05, 0.1,  0.2,
                                     0.5,  1,    2,    5,    10};

// `unit` is that of the recorded values.
ClientMetric::Histogram ToPrometheus(const Histogram& histogram,
                                     absl::Duration unit,
                                     absl::Span<const double> bounds) {
  const double seconds = absl::ToDoubleSeconds(unit);
  ClientMetric::Histogram out;
  out.sample_sum = static_cast<double>(histogram.sum()) * seconds;
  for (const double bound : bounds) {
    out.bucket.push_back({.cumulative_count = 0, .upper_bound = bound});
  }
  std::size_t next = 0;
  histogram.ForEachBucket([&](std::uint64_t highest, std::uint64_t count) {
    const double value = static_cast<double>(highest) * seconds;
    while (next < bounds.size() && value > bounds[next]) {
      out.bucket[next].cumulative_count = out.sample_count;
      ++next;
    }
    out.sample_count += count;
  });
  for (; next < bounds.size(); ++next) {
    out.bucket[next].cumulative_count = out.sample_count;
  }
  return out;
}

// Adds the samples of a family, with `labels` and perhaps one more.
class Samples {
 public:
  explicit Samples(MetricFamily& family,
                   std::vector<ClientMetric::Label> labels = {})
      : family_(family), labels_(std::move(labels)) {}

  void Add(double value) const {
    ClientMetric& metric = New();
    (family_.type == MetricType::Counter ? metric.counter.value
                                         : metric.gauge.value) = value;
  }
  void Add(std::int64_t value) const { Add(static_cast<double>(value)); }
  void Add(ClientMetric::Histogram value) const {
    New().histogram = std::move(value);
  }
  void Add(absl::string_view label, absl::string_view label_value,
           std::int64_t value) const {
    With(label, label_value).Add(value);
  }

  // With one more label.
  Samples With(absl::string_view label, absl::string_view value) const {
    std::vector<ClientMetric::Label> labels = labels_;
    labels.push_back({std::string(label), std::string(value)});
    return Samples(family_, std::move(labels));
  }

 private:
  ClientMetric& New() const {
    ClientMetric& metric = family_.metric.emplace_back();
    metric.label = labels_;
    return metric;
  }

  MetricFamily& family_;
  const std::vector<ClientMetric::Label> labels_;
};

// A figure of the connections: a family by listener, and one by worker.
struct CountersRow {
  absl::string_view name;
  MetricType type;
  absl::string_view help;
  void (*read)(const Counters&, const Samples&);
  bool by_worker = true;
};

constexpr CountersRow kCountersRows[] = {
    {"connections_accepted_total", MetricType::Counter,
     "Connections accepted and handed to a worker.",
     [](const Counters& counters, const Samples& out) {
       out.Add(counters.accepted);
     }},
    {"connections_active", MetricType::Gauge, "Open connections.",
     [](const Counters& counters, const Samples& out) {
       out.Add(counters.active);
     }},
    {"connections_rejected_total", MetricType::Counter,
     "Connections that were reset immediately, by the limit that was reached.",
     [](const Counters& counters, const Samples& out) {
       out.Add("reason", "max_connections", counters.rejected_max_connections);
       out.Add("reason", "max_connections_per_address",
               counters.rejected_max_connections_per_address);
       out.Add("reason", "max_total_connections",
               counters.rejected_max_total_connections);
     },
     /*by_worker=*/false},
    {"connections_closed_total", MetricType::Counter,
     "Connections that ended, by reason.",
     [](const Counters& counters, const Samples& out) {
       for (const auto& reason : kCloseReasons) {
         out.Add("reason", reason.name,
                 counters.closed[static_cast<std::size_t>(reason.value)]);
       }
     }},
    {"bytes_received_total", MetricType::Counter,
     "Bytes received from clients.",
     [](const Counters& counters, const Samples& out) {
       out.Add(counters.bytes_received);
     }},
    {"bytes_sent_total", MetricType::Counter,
     "Bytes of echo that the kernel has accepted.",
     [](const Counters& counters, const Samples& out) {
       out.Add(counters.bytes_sent);
     }},
    {"lines_echoed_total", MetricType::Counter, "Lines answered, in LINE mode.",
     [](const Counters& counters, const Samples& out) {
       out.Add(counters.lines_echoed);
     }},
    {"bytes_buffered", MetricType::Gauge,
     "Echo that the kernel has not accepted, because clients do not read it.",
     [](const Counters& counters, const Samples& out) {
       out.Add(counters.bytes_buffered);
     }},
    {"read_pauses_total", MetricType::Counter,
     "Times that echod stopped reading from a client that did not read.",
     [](const Counters& counters, const Samples& out) {
       out.Add(counters.read_pauses);
     }},
    {"accept_errors_total", MetricType::Counter,
     "Failed accepts, for example because no descriptors are available.",
     [](const Counters& counters, const Samples& out) {
       out.Add(counters.accept_errors);
     },
     /*by_worker=*/false},
    {"echo_latency_seconds", MetricType::Histogram,
     "From having read bytes to having handed their echo to the kernel.",
     [](const Counters& counters, const Samples& out) {
       out.Add(ToPrometheus(counters.echo_latency, absl::Nanoseconds(1),
                            kEchoLatencyBounds));
     }},
    {"connection_duration_seconds", MetricType::Histogram,
     "How long the connections lasted that have closed.",
     [](const Counters& counters, const Samples& out) {
       out.Add(ToPrometheus(counters.connection_duration, absl::Microseconds(1),
                            kConnectionDurationBounds));
     }},
};

// Any other figure.
struct MetricRow {
  absl::string_view name;
  MetricType type;
  absl::string_view help;
  void (*read)(const MetricSources&, const Samples&);
};

void AddIfKnown(std::optional<std::int64_t> value, const Samples& out) {
  if (value.has_value()) out.Add(*value);
}

constexpr MetricRow kMetricRows[] = {
    {"echod_build_info", MetricType::Gauge,
     "Always 1; the label is the version of echod.",
     [](const MetricSources& sources, const Samples& out) {
       out.Add("version", sources.version, 1);
     }},
    {"echod_ready", MetricType::Gauge,
     "1 while /readyz answers 200; otherwise 0.",
     [](const MetricSources& sources, const Samples& out) {
       out.Add(std::int64_t{sources.health.ready.empty()});
     }},
    {"echod_uptime_seconds", MetricType::Gauge,
     "The time since echod started, on a clock that is never set.",
     [](const MetricSources& sources, const Samples& out) {
       out.Add(absl::ToDoubleSeconds(sources.stats.uptime));
     }},
    {"echod_worker_loop_lag_seconds", MetricType::Histogram,
     "How late the worker's loop serves a socket that has become readable.",
     [](const MetricSources& sources, const Samples& out) {
       for (std::size_t i = 0; i < sources.stats.loop_lag.size(); ++i) {
         out.With("worker", absl::StrCat(i))
             .Add(ToPrometheus(sources.stats.loop_lag[i], absl::Nanoseconds(1),
                               kLoopLagBounds));
       }
     }},
    {"echod_workers", MetricType::Gauge, "Worker threads.",
     [](const MetricSources& sources, const Samples& out) {
       out.Add(std::int64_t{sources.server.worker_count});
     }},
    {"echod_log_lines_dropped_total", MetricType::Counter,
     "Log lines that standard error did not accept.",
     [](const MetricSources& sources, const Samples& out) {
       out.Add(sources.stats.log_lines_dropped);
     }},
    {"echod_access_log_records_dropped_total", MetricType::Counter,
     "Records that the access log did not accept.",
     [](const MetricSources& sources, const Samples& out) {
       out.Add(sources.stats.access_log_records_dropped);
     }},
    {"echod_config_reloads_total", MetricType::Counter,
     "Reloads of the configuration file, by outcome.",
     [](const MetricSources& sources, const Samples& out) {
       const ConfigReloads::Counts& reloads = sources.stats.config_reloads;
       out.Add("outcome", "success", reloads.succeeded);
       out.Add("outcome", "failure", reloads.failed);
     }},
    {"echod_config_last_reload_successful", MetricType::Gauge,
     "1 unless the last reload of the configuration file has failed; then 0.",
     [](const MetricSources& sources, const Samples& out) {
       const auto& last = sources.stats.config_reloads.last;
       out.Add(std::int64_t{!last.has_value() || last->succeeded});
     }},
    {"echod_config_last_reload_success_timestamp_seconds", MetricType::Gauge,
     "The Unix time of the last reload that succeeded; 0: none has.",
     [](const MetricSources& sources, const Samples& out) {
       const auto& time = sources.stats.config_reloads.last_good;
       out.Add(absl::ToDoubleSeconds(time.value_or(absl::UnixEpoch()) -
                                     absl::UnixEpoch()));
     }},
    {"echod_admin_connections_accepted_total", MetricType::Counter,
     "Accepted connections of the gRPC admin service.",
     [](const MetricSources& sources, const Samples& out) {
       out.Add(sources.admin.accepted.load());
     }},
    {"echod_admin_connections_active", MetricType::Gauge,
     "Open connections of the gRPC admin service.",
     [](const MetricSources& sources, const Samples& out) {
       out.Add(sources.admin.active.load());
     }},
    {"echod_admin_connections_rejected_total", MetricType::Counter,
     "Connections that the gRPC admin service refused or cut off, by reason.",
     [](const MetricSources& sources, const Samples& out) {
       for (std::size_t i = 0; i < kAdminRejectionCount; ++i) {
         out.Add("reason", AdminRejectionName(static_cast<AdminRejection>(i)),
                 sources.admin.rejected[i].load());
       }
     }},
    {"echod_admin_accept_errors_total", MetricType::Counter,
     "Failed accepts of the gRPC admin service.",
     [](const MetricSources& sources, const Samples& out) {
       out.Add(sources.admin.accept_errors.load());
     }},
    {"echod_http_connections_accepted_total", MetricType::Counter,
     "Accepted HTTP connections.",
     [](const MetricSources& sources, const Samples& out) {
       out.Add(sources.http.accepted);
     }},
    {"echod_http_connections_active", MetricType::Gauge,
     "Open HTTP connections.",
     [](const MetricSources& sources, const Samples& out) {
       out.Add(sources.http.active);
     }},
    {"echod_http_connections_cut_off_total", MetricType::Counter,
     "HTTP connections that echod closed for a timeout or to make room.",
     [](const MetricSources& sources, const Samples& out) {
       out.Add("reason", "timeout", sources.http.timed_out);
       out.Add("reason", "max_connections", sources.http.replaced);
     }},
    {"echod_http_accept_errors_total", MetricType::Counter,
     "Failed accepts of HTTP connections.",
     [](const MetricSources& sources, const Samples& out) {
       out.Add(sources.http.accept_errors);
     }},
    {"echod_http_answers_total", MetricType::Counter,
     "Answers to HTTP requests, by status code.",
     [](const MetricSources& sources, const Samples& out) {
       for (const auto& [status, count] : sources.http.answers) {
         out.Add("code", absl::StrCat(status), count);
       }
     }},
    {"process_cpu_seconds_total", MetricType::Counter,
     "User and system CPU time of the process.",
     [](const MetricSources& sources, const Samples& out) {
       out.Add(absl::ToDoubleSeconds(sources.process.cpu_time));
     }},
    {"process_start_time_seconds", MetricType::Gauge,
     "When the process started, in seconds since the Unix epoch.",
     [](const MetricSources& sources, const Samples& out) {
       const std::optional<absl::Time> start = sources.process.start_time;
       if (!start.has_value()) return;
       out.Add(absl::ToDoubleSeconds(*start - absl::UnixEpoch()));
     }},
    {"process_resident_memory_bytes", MetricType::Gauge,
     "Memory of the process in RAM.",
     [](const MetricSources& sources, const Samples& out) {
       AddIfKnown(sources.process.resident_memory_bytes, out);
     }},
    {"process_virtual_memory_bytes", MetricType::Gauge,
     "Address space of the process.",
     [](const MetricSources& sources, const Samples& out) {
       AddIfKnown(sources.process.virtual_memory_bytes, out);
     }},
    {"process_threads", MetricType::Gauge, "Threads of the process.",
     [](const MetricSources& sources, const Samples& out) {
       AddIfKnown(sources.process.threads, out);
     }},
    {"process_open_fds", MetricType::Gauge, "Open descriptors.",
     [](const MetricSources& sources, const Samples& out) {
       AddIfKnown(sources.process.open_descriptors, out);
     }},
    {"process_max_fds", MetricType::Gauge,
     "The most descriptors that the process may open.",
     [](const MetricSources& sources, const Samples& out) {
       AddIfKnown(sources.process.max_descriptors, out);
     }},
};

MetricFamily Family(absl::string_view prefix, absl::string_view name,
                    MetricType type, absl::string_view help) {
  MetricFamily family;
  family.name = absl::StrCat(prefix, name);
  family.help = std::string(help);
  family.type = type;
  return family;
}

// Subtracts the values of a metric of the same family.
void Subtract(const ClientMetric& value, ClientMetric& from) {
  from.counter.value -= value.counter.value;
  from.gauge.value -= value.gauge.value;
  from.histogram.sample_count -= value.histogram.sample_count;
  from.histogram.sample_sum -= value.histogram.sample_sum;
  for (std::size_t i = 0; i < from.histogram.bucket.size(); ++i) {
    from.histogram.bucket[i].cumulative_count -=
        value.histogram.bucket[i].cumulative_count;
  }
}

// Adds what is in the total but not in the samples of `family`, which are those
// of all listeners, so that a sum over listeners is the server's total, and
// counters do not go back when a listener is deleted.
void AddDeleted(const CountersRow& row, const Counters& total,
                MetricFamily& family) {
  // No listener can have this name.
  MetricFamily rest{.name = family.name, .help = "", .type = family.type};
  row.read(total, Samples(rest, {{"listener", "(deleted)"}}));
  // Each listener has the same samples in the same order.
  for (std::size_t i = 0; i < family.metric.size(); ++i) {
    Subtract(family.metric[i], rest.metric[i % rest.metric.size()]);
  }
  for (ClientMetric& metric : rest.metric) {
    if (metric.counter.value != 0 || metric.gauge.value != 0 ||
        metric.histogram.sample_count != 0) {
      family.metric.push_back(std::move(metric));
    }
  }
}

}  // namespace

std::vector<MetricFamily> CollectMetrics(const MetricSources& sources) {
  std::vector<MetricFamily> families;
  for (const CountersRow& row : kCountersRows) {
    MetricFamily& family =
        families.emplace_back(Family("echod_", row.name, row.type, row.help));
    for (const auto& [listener, counters] : sources.stats.listeners) {
      row.read(counters, Samples(family, {{"listener", listener}}));
    }
    AddDeleted(row, sources.stats.total, family);
  }
  for (const CountersRow& row : kCountersRows) {
    if (!row.by_worker) continue;
    MetricFamily& family = families.emplace_back(
        Family("echod_worker_", row.name, row.type, row.help));
    for (std::size_t i = 0; i < sources.stats.workers.size(); ++i) {
      row.read(sources.stats.workers[i],
               Samples(family, {{"worker", absl::StrCat(i)}}));
    }
  }
  for (const MetricRow& row : kMetricRows) {
    MetricFamily& family =
        families.emplace_back(Family("", row.name, row.type, row.help));
    row.read(sources, Samples(family));
  }
  return families;
}

}  // namespace echod
