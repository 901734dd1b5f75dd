// SPDX-License-Identifier: Apache-2.0

#ifndef ADMIN_HTTP_METRIC_TABLE_H_
#define ADMIN_HTTP_METRIC_TABLE_H_

#include <prometheus/metric_family.h>

#include <string>
#include <vector>

#include "admin/http/process_figures.h"
#include "admin/transport/admin_counters.h"
#include "admin/transport/health_state.h"
#include "echo/control/server_control.h"
#include "echo/control/stats.h"
#include "echo/event/http_server.h"

namespace echod {

// Everything that metrics are made of, at one moment. Borrows what it refers
// to.
struct MetricSources {
  const Stats& stats;
  const ServerInfo& server;
  const AdminCounters& admin;
  const HttpFigures& http;
  const HealthState::Problems& health;
  const ProcessFigures& process;
  const std::string& version;
};

// The metrics of echod, by Prometheus' conventions. Every family is there, also
// those without a sample. The names and labels are a contract with dashboards
// and alerts: docs/metrics.md.
std::vector<prometheus::MetricFamily> CollectMetrics(
    const MetricSources& sources);

}  // namespace echod

#endif  // ADMIN_HTTP_METRIC_TABLE_H_
