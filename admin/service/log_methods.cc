// SPDX-License-Identifier: Apache-2.0

// The methods of AdminService on the log.

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "admin/service/admin_service.h"
#include "admin/service/audit.h"
#include "admin/service/duration_conversion.h"
#include "admin/service/finish_rpc.h"
#include "admin/service/proto_conversion.h"
#include "admin/service/resource_names.h"
#include "echo/base/log_level.h"
#include "echo/base/named_values.h"
#include "echo/control/audit_record.h"
#include "echo/control/control_error.h"
#include "echo/control/server_control.h"

namespace echod {
namespace {

using grpc::CallbackServerContext;
using grpc::ServerUnaryReactor;

constexpr absl::Duration kLongestDuration = absl::Hours(24 * 365);

absl::StatusOr<LogLevel> ParseLevel(admin::v1::LogLevel level) {
  for (const auto& row : kLogLevels) {
    if (ToProto(row.value) == level) return row.value;
  }
  return InvalidFieldError("level",
                           "choose LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, "
                           "LOG_LEVEL_WARNING, LOG_LEVEL_ERROR or "
                           "LOG_LEVEL_OFF");
}

absl::StatusOr<std::optional<absl::Duration>> ParseLevelDuration(
    const admin::v1::SetLogLevelRequest& request) {
  if (!request.has_duration()) return std::optional<absl::Duration>();
  const auto duration =
      ParseDurationUpTo(kLongestDuration, request.duration(), "duration");
  if (!duration.ok()) return duration.status();
  if (*duration == absl::ZeroDuration()) {
    return InvalidFieldError("duration",
                             "choose more than 0, or leave it out for a level "
                             "that stays");
  }
  return std::optional<absl::Duration>(*duration);
}

admin::v1::SetLogLevelResponse ChangeToProto(const LogLevelChange& change) {
  admin::v1::SetLogLevelResponse response;
  response.set_former_level(ToProto(change.before.level));
  response.set_level(ToProto(change.after.level));
  if (change.after.return_time.has_value()) {
    *response.mutable_return_time() = ToProto(*change.after.return_time);
    response.set_return_level(ToProto(change.after.returns_to));
  }
  return response;
}

}  // namespace

ServerUnaryReactor* AdminService::SetLogLevel(
    CallbackServerContext* context,
    const admin::v1::SetLogLevelRequest* request,
    admin::v1::SetLogLevelResponse* response) {
  auto audit = std::make_unique<Audit>(*context, *request, kServerName);
  const auto level = ParseLevel(request->level());
  if (!level.ok()) return FinishNow(context, *audit, level.status());
  const auto duration = ParseLevelDuration(*request);
  if (!duration.ok()) return FinishNow(context, *audit, duration.status());

  const auto made = std::make_shared<LogLevelChange>();
  audit->DescribeChanges([made] {
    std::vector<AuditChange> changes;
    if (made->before.level != made->after.level) {
      changes.push_back(
          {.field = "log_level",
           .before = std::string(NameOf(kLogLevels, made->before.level)),
           .after = std::string(NameOf(kLogLevels, made->after.level))});
    }
    return changes;
  });
  ServerUnaryReactor* const reactor = context->DefaultReactor();
  data_plane_.server.SetLogLevel(
      *level, *duration,
      FinishLater<LogLevelChange>(answers_, reactor, response, std::move(audit),
                                  [made](const LogLevelChange& change) {
                                    *made = change;
                                    return ChangeToProto(change);
                                  }));
  return reactor;
}

}  // namespace echod
