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
#include "echo/control/close_reason.h"
#include "echo/control/config_reloads.h"

namespace echod {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

double& ValueOf(MetricType type, ClientMetric& metric) {
  return type == MetricType::Counter ? metric.counter.value
                                     : metric.gauge.value;
}

// Adds the samples of a family, with `labels` and perhaps one more.
class Samples {
 public:
  explicit Samples(MetricFamily& family,
                   std::vector<ClientMetric::Label> labels = {})
      : family_(family), labels_(std::move(labels)) {}

  void Add(double value) const { AddWith(labels_, value); }
  void Add(std::int64_t value) const { Add(static_cast<double>(value)); }
  void Add(absl::string_view label, absl::string_view label_value,
           std::int64_t value) const {
    std::vector<ClientMetric::Label> labels = labels_;
    labels.push_back({std::string(label), std::string(label_value)});
    AddWith(std::move(labels), static_cast<double>(value));
  }

 private:
  void AddWith(std::vector<ClientMetric::Label> labels, double value) const {
    ClientMetric& metric = family_.metric.emplace_back();
    metric.label = std::move(labels);
    ValueOf(family_.type, metric) = value;
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
     "1 while health checks answer SERVING, and /readyz 200; otherwise 0.",
     [](const MetricSources& sources, const Samples& out) {
       out.Add(std::int64_t{sources.health.ready.empty()});
     }},
    {"echod_uptime_seconds", MetricType::Gauge,
     "The time since echod started, on a clock that is never set.",
     [](const MetricSources& sources, const Samples& out) {
       out.Add(absl::ToDoubleSeconds(sources.stats.uptime));
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
    ValueOf(row.type, rest.metric[i % rest.metric.size()]) -=
        ValueOf(row.type, family.metric[i]);
  }
  for (ClientMetric& metric : rest.metric) {
    if (ValueOf(row.type, metric) != 0) family.metric.push_back(metric);
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
