// SPDX-License-Identifier: Apache-2.0

// The service itself, and the methods of the server as a whole.

#include "admin/service/admin_service.h"

#include <unistd.h>

#include <memory>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "admin/service/audit.h"
#include "admin/service/duration_conversion.h"
#include "admin/service/finish_rpc.h"
#include "admin/service/proto_conversion.h"
#include "admin/service/resource_names.h"

namespace echod {
namespace {

bool IsEmpty(const PodDescription& pod) {
  return pod.name.empty() && pod.namespace_name.empty() &&
         pod.node_name.empty() && pod.ip.empty();
}

using grpc::CallbackServerContext;
using grpc::ServerUnaryReactor;

// How long a drain may take, if the request says so.
template <typename Message>
absl::StatusOr<std::optional<absl::Duration>> OptionalDuration(
    bool is_set, const Message& duration, absl::string_view field) {
  if (!is_set) return std::optional<absl::Duration>();
  const absl::StatusOr<absl::Duration> parsed =
      ParseDurationUpTo(kLongestDrain, duration, field);
  if (!parsed.ok()) return parsed.status();
  return std::optional<absl::Duration>(*parsed);
}

// Pages of connections, the largest answers, that clients have requested and
// not read yet: at 400 kB each, some 25 MB.
constexpr std::size_t kMostPagesOfClient = 8;
constexpr std::size_t kMostPages = 64;

}  // namespace

AdminService::AdminService(DataPlane data_plane, const AdminCounters& counters,
                           AnswerThread& answers, ServerDescription description,
                           absl::Duration page_timeout)
    : data_plane_(data_plane),
      counters_(counters),
      answers_(answers),
      description_(std::move(description)),
      page_timeout_(page_timeout),
      connection_watches_(data_plane.connections, answers),
      list_turns_(kMostPagesOfClient, kMostPages) {}

admin::v1::Server AdminService::Describe(const ServerInfo& info) const {
  admin::v1::Server server;
  server.set_name(kServerName);
  server.set_version(description_.version);
  *server.mutable_start_time() = ToProto(info.start_time);
  server.set_state(ToProto(info.state));
  server.set_worker_count(info.worker_count);
  server.set_pid(getpid());
  server.set_hostname(description_.hostname);
  if (const PodDescription& pod = description_.pod; !IsEmpty(pod)) {
    server.mutable_pod()->set_name(pod.name);
    server.mutable_pod()->set_namespace_(pod.namespace_name);
    server.mutable_pod()->set_node_name(pod.node_name);
    server.mutable_pod()->set_ip(pod.ip);
  }
  server.set_log_level(ToProto(info.log_level.level));
  if (info.log_level.return_time.has_value()) {
    *server.mutable_log_level_return_time() =
        ToProto(*info.log_level.return_time);
  }
  if (const auto& last = info.config_reloads.last; last.has_value()) {
    admin::v1::ConfigReload& reload = *server.mutable_last_config_reload();
    *reload.mutable_time() = ToProto(last->time);
    reload.set_succeeded(last->succeeded);
    reload.set_error(last->error);
  }
  if (description_.config) {
    ServerConfig config = description_.config();
    server.mutable_config()->insert(config.flags.begin(), config.flags.end());
    server.set_running_config(std::move(config.running));
  }
  return server;
}

ServerUnaryReactor* AdminService::GetServer(
    CallbackServerContext* context,
    const admin::v1::GetServerRequest* /*request*/,
    admin::v1::Server* response) {
  *response = Describe(data_plane_.server.GetServer());
  return FinishNow(context, absl::OkStatus());
}

ServerUnaryReactor* AdminService::DrainServer(
    CallbackServerContext* context,
    const admin::v1::DrainServerRequest* request, admin::v1::Server* response) {
  auto audit = std::make_unique<Audit>(*context, *request, kServerName);
  const auto deadline = OptionalDuration(request->has_deadline(),
                                         request->deadline(), "deadline");
  if (!deadline.ok()) return FinishNow(context, *audit, deadline.status());
  const auto grace_period = OptionalDuration(
      request->has_grace_period(), request->grace_period(), "grace_period");
  if (!grace_period.ok()) {
    return FinishNow(context, *audit, grace_period.status());
  }
  ServerUnaryReactor* const reactor = context->DefaultReactor();
  data_plane_.server.Drain(
      {.grace_period = *grace_period, .deadline = *deadline},
      FinishLater<ServerInfo>(
          answers_, reactor, response, std::move(audit),
          [this](const ServerInfo& info) { return Describe(info); }));
  return reactor;
}

}  // namespace echod
