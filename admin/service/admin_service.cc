// SPDX-License-Identifier: Apache-2.0

#include "admin/service/admin_service.h"

#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "admin/service/duration_conversion.h"
#include "admin/service/listener_update.h"
#include "admin/service/page_token.h"
#include "admin/service/proto_conversion.h"
#include "admin/service/resource_names.h"
#include "admin/service/status_conversion.h"
#include "admin/service/turn_reactor.h"
#include "admin/transport/admin_peer.h"
#include "echo/base/logging.h"
#include "echo/control/control_error.h"
#include "echo/control/reply.h"

namespace echod {
namespace {

using grpc::CallbackServerContext;
using grpc::ServerUnaryReactor;

constexpr absl::Duration kDefaultWatchInterval = absl::Seconds(1);
constexpr absl::Duration kShortestWatchInterval = absl::Milliseconds(100);

// Logs what an operator changes.
void LogRequest(const CallbackServerContext& context, absl::string_view what) {
  LogInfo(absl::StrCat(ClientOfPeer(context.peer()), " ", what));
}

ServerUnaryReactor* FinishNow(CallbackServerContext* context,
                              const absl::Status& status) {
  ServerUnaryReactor* const reactor = context->DefaultReactor();
  reactor->Finish(ToGrpcStatus(status));
  return reactor;
}

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

admin::v1::Connection ConnectionToProto(const ConnectionInfo& connection) {
  return ToProto(connection);
}

// The part of the request that a page token is valid for.
std::string ConnectionListKey(
    const admin::v1::ListConnectionsRequest& request) {
  return absl::StrCat("connections view=", request.view());
}

constexpr absl::string_view kListenerListKey = "listeners";

admin::v1::ListConnectionsResponse PageToProto(const ConnectionPage& page,
                                               const std::string& list_key) {
  admin::v1::ListConnectionsResponse list;
  for (const ConnectionInfo& connection : page.connections) {
    *list.add_connections() = ToProto(connection);
  }
  list.set_total_size(static_cast<std::int32_t>(std::min<std::int64_t>(
      page.total, std::numeric_limits<std::int32_t>::max())));
  if (page.more) {
    list.set_next_page_token(
        MakePageToken(list_key, absl::StrCat(page.connections.back().number)));
  }
  return list;
}

// Pages of connections, the largest answers, that clients have requested and
// not read yet: at 400 kB each, some 25 MB.
constexpr std::size_t kMostPagesOfClient = 8;
constexpr std::size_t kMostPages = 64;

// Ends a stream before its first message.
class FailedWatch final : public grpc::ServerWriteReactor<admin::v1::Stats> {
 public:
  explicit FailedWatch(const absl::Status& status) {
    Finish(ToGrpcStatus(status));
  }
  void OnDone() override { delete this; }
};

}  // namespace

AdminService::AdminService(DataPlane data_plane, const AdminCounters& counters,
                           AnswerThread& answers, ServerDescription description,
                           absl::Duration page_timeout)
    : data_plane_(data_plane),
      counters_(counters),
      answers_(answers),
      description_(std::move(description)),
      page_timeout_(page_timeout),
      list_turns_(kMostPagesOfClient, kMostPages) {}

template <typename T, typename Response, typename Fill>
Reply<T> AdminService::FinishLater(ServerUnaryReactor* reactor,
                                   Response* response, Fill fill,
                                   absl::Status (*error)(const absl::Status&)) {
  return Reply<T>([this, reactor, response, fill = std::move(fill),
                   error](absl::StatusOr<T> answer) mutable {
    answers_.Post([reactor, response, fill = std::move(fill), error,
                   answer = std::move(answer)]() mutable {
      if (answer.ok()) *response = fill(*answer);
      reactor->Finish(ToGrpcStatus(error == nullptr ? answer.status()
                                                    : error(answer.status())));
    });
  });
}

admin::v1::Stats AdminService::ReadStats() const {
  admin::v1::Stats stats = ToProto(data_plane_.server.GetStats());
  *stats.mutable_admin() = ToProto(counters_);
  return stats;
}

admin::v1::Server AdminService::Describe(const ServerInfo& info) const {
  admin::v1::Server server;
  server.set_name("server");
  server.set_version(description_.version);
  *server.mutable_start_time() = ToProto(info.start_time);
  server.set_state(ToProto(info.state));
  server.set_worker_count(info.worker_count);
  server.set_pid(getpid());
  server.set_hostname(description_.hostname);
  server.mutable_config()->insert(description_.config.begin(),
                                  description_.config.end());
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
  const auto deadline = OptionalDuration(request->has_deadline(),
                                         request->deadline(), "deadline");
  if (!deadline.ok()) return FinishNow(context, deadline.status());
  const auto grace_period = OptionalDuration(
      request->has_grace_period(), request->grace_period(), "grace_period");
  if (!grace_period.ok()) return FinishNow(context, grace_period.status());
  LogRequest(*context, "drains the server");

  ServerUnaryReactor* const reactor = context->DefaultReactor();
  data_plane_.server.Drain(
      {.grace_period = *grace_period, .deadline = *deadline},
      FinishLater<ServerInfo>(
          reactor, response,
          [this](const ServerInfo& info) { return Describe(info); }));
  return reactor;
}

ServerUnaryReactor* AdminService::GetStats(
    CallbackServerContext* context,
    const admin::v1::GetStatsRequest* /*request*/, admin::v1::Stats* response) {
  *response = ReadStats();
  return FinishNow(context, absl::OkStatus());
}

grpc::ServerWriteReactor<admin::v1::Stats>* AdminService::WatchStats(
    CallbackServerContext* /*context*/,
    const admin::v1::WatchStatsRequest* request) {
  absl::Duration interval = kDefaultWatchInterval;
  if (request->has_interval()) {
    const auto parsed = ParseDuration(request->interval(), "interval");
    if (!parsed.ok()) return new FailedWatch(parsed.status());
    interval = *parsed;
  }
  if (interval < kShortestWatchInterval) {
    return new FailedWatch(InvalidFieldError(
        "interval",
        absl::StrCat(absl::FormatDuration(interval),
                     " is too short; the shortest interval is ",
                     absl::FormatDuration(kShortestWatchInterval))));
  }
  return watches_.Start([this] { return ReadStats(); }, interval);
}

ServerUnaryReactor* AdminService::ListListeners(
    CallbackServerContext* context,
    const admin::v1::ListListenersRequest* request,
    admin::v1::ListListenersResponse* response) {
  const auto page_size = EffectivePageSize(request->page_size());
  if (!page_size.ok()) return FinishNow(context, page_size.status());
  const auto after = ParsePageToken(kListenerListKey, request->page_token());
  if (!after.ok()) return FinishNow(context, after.status());

  const std::vector<ListenerInfo> listeners =
      data_plane_.listeners.ListListeners();
  response->set_total_size(static_cast<std::int32_t>(listeners.size()));
  for (const ListenerInfo& listener : listeners) {
    if (listener.id <= *after) continue;
    if (response->listeners_size() == *page_size) {
      const auto last = ParseListenerName(
          response->listeners(response->listeners_size() - 1).name(), "name");
      response->set_next_page_token(MakePageToken(kListenerListKey, *last));
      break;
    }
    *response->add_listeners() = ToProto(listener);
  }
  return FinishNow(context, absl::OkStatus());
}

ServerUnaryReactor* AdminService::GetListener(
    CallbackServerContext* context,
    const admin::v1::GetListenerRequest* request,
    admin::v1::Listener* response) {
  const auto id = ParseListenerName(request->name(), "name");
  if (!id.ok()) return FinishNow(context, id.status());
  const auto listener = data_plane_.listeners.GetListener(*id);
  if (listener.ok()) *response = ToProto(*listener);
  return FinishNow(context, listener.status());
}

ServerUnaryReactor* AdminService::UpdateListener(
    CallbackServerContext* context,
    const admin::v1::UpdateListenerRequest* request,
    admin::v1::Listener* response) {
  absl::StatusOr<ListenerUpdate> update = ParseListenerUpdate(*request);
  if (!update.ok()) return FinishNow(context, update.status());
  if (!update->validate_only) {
    LogRequest(*context,
               absl::StrCat("changes listener ", absl::CHexEscape(update->id)));
  }
  ServerUnaryReactor* const reactor = context->DefaultReactor();
  data_plane_.listeners.UpdateListener(
      *std::move(update),
      FinishLater<ListenerInfo>(
          reactor, response,
          [](const ListenerInfo& info) { return ToProto(info); },
          &ListenerFieldError));
  return reactor;
}

ServerUnaryReactor* AdminService::ListConnections(
    CallbackServerContext* context,
    const admin::v1::ListConnectionsRequest* request,
    admin::v1::ListConnectionsResponse* response) {
  if (!admin::v1::ConnectionView_IsValid(request->view())) {
    return FinishNow(context,
                     InvalidFieldError("view",
                                       "choose CONNECTION_VIEW_BASIC or "
                                       "CONNECTION_VIEW_FULL"));
  }
  const auto page_size = EffectivePageSize(request->page_size());
  if (!page_size.ok()) return FinishNow(context, page_size.status());
  const std::string key = ConnectionListKey(*request);
  const auto token = ParsePageToken(key, request->page_token());
  if (!token.ok()) return FinishNow(context, token.status());

  ConnectionQuery query;
  query.limit = *page_size;
  query.with_tcp_info = request->view() == admin::v1::CONNECTION_VIEW_FULL;
  if (!token->empty() && (!absl::SimpleAtoi(*token, &query.after) ||
                          absl::StrCat(query.after) != *token)) {
    return FinishNow(context,
                     InvalidFieldError("page_token", "the token is damaged"));
  }
  auto* const reactor = new TurnReactor(list_turns_, page_timeout_, *context);
  reactor->Begin([this, reactor, response, query, key] {
    data_plane_.connections.ListConnections(
        query, FinishLater<ConnectionParts>(
                   reactor, response, [key](ConnectionParts& parts) {
                     return PageToProto(MergeParts(std::move(parts)), key);
                   }));
  });
  return reactor;
}

ServerUnaryReactor* AdminService::GetConnection(
    CallbackServerContext* context,
    const admin::v1::GetConnectionRequest* request,
    admin::v1::Connection* response) {
  const auto number = ParseConnectionName(request->name(), "name");
  if (!number.ok()) return FinishNow(context, number.status());
  ServerUnaryReactor* const reactor = context->DefaultReactor();
  data_plane_.connections.GetConnection(
      *number,
      FinishLater<ConnectionInfo>(reactor, response, ConnectionToProto));
  return reactor;
}

ServerUnaryReactor* AdminService::CloseConnection(
    CallbackServerContext* context,
    const admin::v1::CloseConnectionRequest* request,
    admin::v1::Connection* response) {
  const auto number = ParseConnectionName(request->name(), "name");
  if (!number.ok()) return FinishNow(context, number.status());
  if (!admin::v1::CloseConnectionRequest::Mode_IsValid(request->mode())) {
    return FinishNow(
        context,
        InvalidFieldError("mode", "choose MODE_GRACEFUL or MODE_RESET"));
  }
  const CloseMode mode =
      request->mode() == admin::v1::CloseConnectionRequest::MODE_RESET
          ? CloseMode::kReset
          : CloseMode::kGraceful;
  LogRequest(*context,
             absl::StrCat(mode == CloseMode::kReset ? "resets" : "closes",
                          " connection ", *number));
  ServerUnaryReactor* const reactor = context->DefaultReactor();
  data_plane_.connections.CloseConnection(
      *number, mode,
      FinishLater<ConnectionInfo>(reactor, response, ConnectionToProto));
  return reactor;
}

}  // namespace echod
