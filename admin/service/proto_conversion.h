// SPDX-License-Identifier: Apache-2.0

#ifndef ADMIN_SERVICE_PROTO_CONVERSION_H_
#define ADMIN_SERVICE_PROTO_CONVERSION_H_

#include "admin/transport/admin_counters.h"
#include "echo/base/log_level.h"
#include "echo/control/connection_info.h"
#include "echo/control/listener_control.h"
#include "echo/control/server_control.h"
#include "echo/control/stats.h"
#include "echod/admin/v1/admin.pb.h"

namespace echod {

// Converts values of the data plane to messages of the API. Thread-safe.

// With the buckets of histograms, if `view` is STATS_VIEW_FULL.
admin::v1::Stats ToProto(const Stats& stats, admin::v1::StatsView view);
admin::v1::AdminStats ToProto(const AdminCounters& counters);
admin::v1::Listener ToProto(const ListenerInfo& listener);
admin::v1::Connection ToProto(const ConnectionInfo& connection);
admin::v1::LogLevel ToProto(LogLevel level);
admin::v1::Server::State ToProto(ServerInfo::State state);

}  // namespace echod

#endif  // ADMIN_SERVICE_PROTO_CONVERSION_H_
