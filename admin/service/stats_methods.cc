// SPDX-License-Identifier: Apache-2.0

// The methods of AdminService for statistics.

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "admin/service/admin_service.h"
#include "admin/service/duration_conversion.h"
#include "admin/service/finish_rpc.h"
#include "admin/service/proto_conversion.h"
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

}  // namespace

admin::v1::Stats AdminService::ReadStats(admin::v1::StatsView view) const {
  admin::v1::Stats stats = ToProto(data_plane_.server.GetStats(), view);
  *stats.mutable_admin() = ToProto(counters_);
  return stats;
}

ServerUnaryReactor* AdminService::GetStats(
    CallbackServerContext* context, const admin::v1::GetStatsRequest* request,
    admin::v1::Stats* response) {
  const absl::Status valid = CheckView(request->view());
  if (valid.ok()) *response = ReadStats(request->view());
  return FinishNow(context, valid);
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
