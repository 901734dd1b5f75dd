// SPDX-License-Identifier: Apache-2.0

// The methods of AdminService on connections.

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "admin/service/admin_service.h"
#include "admin/service/audit.h"
#include "admin/service/finish_rpc.h"
#include "admin/service/page_token.h"
#include "admin/service/proto_conversion.h"
#include "admin/service/resource_names.h"
#include "admin/service/turn_reactor.h"
#include "echo/control/connection_control.h"
#include "echo/control/connection_info.h"
#include "echo/control/control_error.h"

namespace echod {
namespace {

using grpc::CallbackServerContext;
using grpc::ServerUnaryReactor;

admin::v1::Connection ConnectionToProto(const ConnectionInfo& connection) {
  return ToProto(connection);
}

// The part of the request that a page token is valid for.
std::string ConnectionListKey(
    const admin::v1::ListConnectionsRequest& request) {
  return absl::StrCat("connections view=", request.view());
}

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

}  // namespace

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
                   answers_, reactor, response, [key](ConnectionParts& parts) {
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
      *number, FinishLater<ConnectionInfo>(answers_, reactor, response,
                                           ConnectionToProto));
  return reactor;
}

ServerUnaryReactor* AdminService::CloseConnection(
    CallbackServerContext* context,
    const admin::v1::CloseConnectionRequest* request,
    admin::v1::Connection* response) {
  auto audit = std::make_unique<Audit>(*context, *request, request->name());
  const auto number = ParseConnectionName(request->name(), "name");
  if (!number.ok()) return FinishNow(context, *audit, number.status());
  if (!admin::v1::CloseConnectionRequest::Mode_IsValid(request->mode())) {
    return FinishNow(
        context, *audit,
        InvalidFieldError("mode", "choose MODE_GRACEFUL or MODE_RESET"));
  }
  const CloseMode mode =
      request->mode() == admin::v1::CloseConnectionRequest::MODE_RESET
          ? CloseMode::kReset
          : CloseMode::kGraceful;
  ServerUnaryReactor* const reactor = context->DefaultReactor();
  data_plane_.connections.CloseConnection(
      *number, mode,
      FinishLater<ConnectionInfo>(answers_, reactor, response, std::move(audit),
                                  ConnectionToProto));
  return reactor;
}

}  // namespace echod
