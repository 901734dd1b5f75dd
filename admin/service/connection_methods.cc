// SPDX-License-Identifier: Apache-2.0

// The methods of AdminService on connections.

#include <memory>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "admin/service/admin_service.h"
#include "admin/service/audit.h"
#include "admin/service/connection_closing.h"
#include "admin/service/connection_list.h"
#include "admin/service/finish_rpc.h"
#include "admin/service/proto_conversion.h"
#include "admin/service/resource_names.h"
#include "admin/service/status_conversion.h"
#include "admin/service/turn_reactor.h"
#include "echo/control/audit_record.h"
#include "echo/control/connection_control.h"
#include "echo/control/connection_info.h"
#include "echo/control/reply.h"

namespace echod {
namespace {

using grpc::CallbackServerContext;
using grpc::ServerUnaryReactor;

admin::v1::Connection ConnectionToProto(const ConnectionInfo& connection) {
  return ToProto(connection);
}

}  // namespace

ServerUnaryReactor* AdminService::ListConnections(
    CallbackServerContext* context,
    const admin::v1::ListConnectionsRequest* request,
    admin::v1::ListConnectionsResponse* response) {
  absl::StatusOr<ConnectionList> list = ParseConnectionList(*request);
  if (!list.ok()) return FinishNow(context, list.status());
  auto* const reactor = new TurnReactor(list_turns_, page_timeout_, *context);
  list->query.abandonment = reactor->abandonment();
  reactor->Begin([this, reactor, response, list = *std::move(list)]() mutable {
    if (list.skip == 0) return MakePage(std::move(list), reactor, response);
    ConnectionQuery skip = SkipQuery(list);
    data_plane_.connections.ListConnections(
        std::move(skip),
        Reply<ConnectionParts>(
            [this, reactor, response, list = std::move(list)](
                absl::StatusOr<ConnectionParts> parts) mutable {
              answers_.Post([this, reactor, response, list = std::move(list),
                             parts = std::move(parts)]() mutable {
                if (!parts.ok()) {
                  return reactor->Finish(ToGrpcStatus(parts.status()));
                }
                MakePage(
                    AfterSkip(std::move(list), MergeParts(*std::move(parts))),
                    reactor, response);
              });
            }));
  });
  return reactor;
}

void AdminService::MakePage(ConnectionList list, TurnReactor* reactor,
                            admin::v1::ListConnectionsResponse* response) {
  ConnectionQuery query = list.query;
  data_plane_.connections.ListConnections(
      std::move(query),
      FinishLater<ConnectionParts>(
          answers_, reactor, response,
          [reactor, list = std::move(list)](ConnectionParts& parts) {
            reactor->OnAnswer();
            return PageToProto(MergeParts(std::move(parts)), list);
          }));
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
  const absl::StatusOr<CloseMode> mode = ParseCloseMode(request->mode());
  if (!mode.ok()) return FinishNow(context, *audit, mode.status());
  ServerUnaryReactor* const reactor = context->DefaultReactor();
  data_plane_.connections.CloseConnection(
      *number, *mode,
      FinishLater<ConnectionInfo>(answers_, reactor, response, std::move(audit),
                                  ConnectionToProto));
  return reactor;
}

ServerUnaryReactor* AdminService::CloseConnections(
    CallbackServerContext* context,
    const admin::v1::CloseConnectionsRequest* request,
    admin::v1::CloseConnectionsResponse* response) {
  auto audit = std::make_unique<Audit>(*context, *request, "connections");
  absl::StatusOr<ConnectionClosing> closing = ParseConnectionClosing(*request);
  if (!closing.ok()) return FinishNow(context, *audit, closing.status());
  audit->DescribeChanges([response] {
    std::vector<AuditChange> changes;
    if (response->closed_count() > 0) {
      changes.push_back({.field = "closed_count",
                         .before = "0",
                         .after = absl::StrCat(response->closed_count())});
    }
    return changes;
  });
  if (closing->validate_only) {
    // It looks at all connections, as a list does, and waits for its turn.
    auto* const reactor = new TurnReactor(list_turns_, page_timeout_, *context);
    closing->abandonment = reactor->abandonment();
    reactor->Begin([this, reactor, response,
                    closing = *std::move(closing)]() mutable {
      data_plane_.connections.CloseConnections(
          std::move(closing),
          FinishLater<ClosedConnections>(answers_, reactor, response,
                                         [reactor](ClosedConnections& closed) {
                                           reactor->OnAnswer();
                                           return ToProto(closed);
                                         }));
    });
    return reactor;
  }
  ServerUnaryReactor* const reactor = context->DefaultReactor();
  data_plane_.connections.CloseConnections(
      *std::move(closing),
      FinishLater<ClosedConnections>(
          answers_, reactor, response, std::move(audit),
          [](ClosedConnections& closed) { return ToProto(closed); }));
  return reactor;
}

}  // namespace echod
