// SPDX-License-Identifier: Apache-2.0

// The methods of AdminService for statistics.

#include <mutex>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "admin/service/admin_service.h"
#include "admin/service/audit.h"
#include "admin/service/duration_conversion.h"
#include "admin/service/finish_rpc.h"
#include "admin/service/proto_conversion.h"
#include "admin/service/resource_names.h"
#include "admin/service/status_conversion.h"
#include "echo/control/control_error.h"

namespace echod {
namespace {

using grpc::CallbackServerContext;
using grpc::ServerUnaryReactor;

constexpr absl::Duration kDefaultWatchInterval = absl::Seconds(1);
constexpr absl::Duration kShortestWatchInterval = absl::Milliseconds(100);

absl::Status CheckView(admin::v1::StatsView view) {
  if (admin::v1::StatsView_IsValid(view)) return absl::OkStatus();
  return InvalidFieldError("view",
                           "choose STATS_VIEW_BASIC or STATS_VIEW_FULL");
}

// What has been counted since `before`. Gauges keep their values.
admin::v1::AdminStats Difference(admin::v1::AdminStats now,
                                 const admin::v1::AdminStats& before) {
  now.set_connections_accepted_total(now.connections_accepted_total() -
                                     before.connections_accepted_total());
  for (const auto& [reason, count] : before.connections_rejected_total()) {
    (*now.mutable_connections_rejected_total())[reason] -= count;
  }
  now.set_accept_errors_total(now.accept_errors_total() -
                              before.accept_errors_total());
  return now;
}

}  // namespace

admin::v1::Stats AdminService::ReadStats(admin::v1::StatsView view) const {
  admin::v1::Stats stats =
      ToProto(data_plane_.server.GetStatsSinceReset(), view);
  const std::lock_guard<std::mutex> lock(admin_baseline_mutex_);
  *stats.mutable_admin() = Difference(ToProto(counters_), admin_baseline_);
  return stats;
}

ServerUnaryReactor* AdminService::GetStats(
    CallbackServerContext* context, const admin::v1::GetStatsRequest* request,
    admin::v1::Stats* response) {
  const absl::Status valid = CheckView(request->view());
  if (valid.ok()) *response = ReadStats(request->view());
  return FinishNow(context, valid);
}

ServerUnaryReactor* AdminService::ResetStats(
    CallbackServerContext* context, const admin::v1::ResetStatsRequest* request,
    admin::v1::Stats* response) {
  const Audit audit(*context, *request, kServerName);
  const absl::Status valid = CheckView(request->view());
  if (!valid.ok()) return FinishNow(context, audit, valid);
  *response = ToProto(data_plane_.server.ResetStats(), request->view());
  {
    const std::lock_guard<std::mutex> lock(admin_baseline_mutex_);
    admin::v1::AdminStats now = ToProto(counters_);
    *response->mutable_admin() = Difference(now, admin_baseline_);
    admin_baseline_ = std::move(now);
  }
  return FinishNow(context, audit, absl::OkStatus());
}

grpc::ServerWriteReactor<admin::v1::Stats>* AdminService::WatchStats(
    CallbackServerContext* /*context*/,
    const admin::v1::WatchStatsRequest* request) {
  const admin::v1::StatsView view = request->view();
  const absl::Status valid = CheckView(view);
  if (!valid.ok()) return new FailedStream<admin::v1::Stats>(valid);
  absl::Duration interval = kDefaultWatchInterval;
  if (request->has_interval()) {
    const auto parsed = ParseDuration(request->interval(), "interval");
    if (!parsed.ok())
      return new FailedStream<admin::v1::Stats>(parsed.status());
    interval = *parsed;
  }
  if (interval < kShortestWatchInterval) {
    return new FailedStream<admin::v1::Stats>(InvalidFieldError(
        "interval",
        absl::StrCat(absl::FormatDuration(interval),
                     " is too short; the shortest interval is ",
                     absl::FormatDuration(kShortestWatchInterval))));
  }
  return watches_.Start([this, view] { return ReadStats(view); }, interval);
}

}  // namespace echod
