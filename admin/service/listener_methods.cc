// SPDX-License-Identifier: Apache-2.0

// The methods of AdminService on listeners.

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "admin/service/admin_service.h"
#include "admin/service/audit.h"
#include "admin/service/finish_rpc.h"
#include "admin/service/listener_requests.h"
#include "admin/service/page_token.h"
#include "admin/service/proto_conversion.h"
#include "admin/service/resource_names.h"
#include "admin/service/status_conversion.h"
#include "echo/control/audit_record.h"
#include "echo/control/listener_control.h"

namespace echod {
namespace {

using grpc::CallbackServerContext;
using grpc::ServerUnaryReactor;

constexpr absl::string_view kListenerListKey = "listeners";

admin::v1::Listener ListenerToProto(const ListenerInfo& info) {
  return ToProto(info);
}

}  // namespace

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

ServerUnaryReactor* AdminService::CreateListener(
    CallbackServerContext* context,
    const admin::v1::CreateListenerRequest* request,
    admin::v1::Listener* response) {
  auto audit = std::make_unique<Audit>(*context, *request,
                                       ListenerName(request->listener_id()));
  absl::StatusOr<ListenerCreation> creation = ParseListenerCreation(*request);
  if (!creation.ok()) return FinishNow(context, *audit, creation.status());
  ServerUnaryReactor* const reactor = context->DefaultReactor();
  data_plane_.listeners.CreateListener(
      *std::move(creation),
      FinishLater<ListenerInfo>(answers_, reactor, response, std::move(audit),
                                ListenerToProto, &ListenerFieldError));
  return reactor;
}

ServerUnaryReactor* AdminService::DeleteListener(
    CallbackServerContext* context,
    const admin::v1::DeleteListenerRequest* request,
    admin::v1::Listener* response) {
  auto audit = std::make_unique<Audit>(*context, *request, request->name());
  absl::StatusOr<ListenerDeletion> deletion = ParseListenerDeletion(*request);
  if (!deletion.ok()) return FinishNow(context, *audit, deletion.status());
  ServerUnaryReactor* const reactor = context->DefaultReactor();
  data_plane_.listeners.DeleteListener(
      *std::move(deletion),
      FinishLater<ListenerInfo>(answers_, reactor, response, std::move(audit),
                                ListenerToProto));
  return reactor;
}

ServerUnaryReactor* AdminService::PauseListener(
    CallbackServerContext* context,
    const admin::v1::PauseListenerRequest* request,
    admin::v1::Listener* response) {
  return SetPaused(context,
                   std::make_unique<Audit>(*context, *request, request->name()),
                   ParseListenerPause(*request), response);
}

ServerUnaryReactor* AdminService::ResumeListener(
    CallbackServerContext* context,
    const admin::v1::ResumeListenerRequest* request,
    admin::v1::Listener* response) {
  return SetPaused(context,
                   std::make_unique<Audit>(*context, *request, request->name()),
                   ParseListenerPause(*request), response);
}

ServerUnaryReactor* AdminService::SetPaused(CallbackServerContext* context,
                                            std::unique_ptr<Audit> audit,
                                            absl::StatusOr<ListenerPause> pause,
                                            admin::v1::Listener* response) {
  if (!pause.ok()) return FinishNow(context, *audit, pause.status());
  ServerUnaryReactor* const reactor = context->DefaultReactor();
  data_plane_.listeners.PauseListener(
      *std::move(pause),
      FinishLater<ListenerInfo>(answers_, reactor, response, std::move(audit),
                                ListenerToProto));
  return reactor;
}

ServerUnaryReactor* AdminService::UpdateListener(
    CallbackServerContext* context,
    const admin::v1::UpdateListenerRequest* request,
    admin::v1::Listener* response) {
  auto audit =
      std::make_unique<Audit>(*context, *request, request->listener().name());
  absl::StatusOr<ListenerUpdate> update = ParseListenerUpdate(*request);
  if (!update.ok()) return FinishNow(context, *audit, update.status());
  update->applied = std::make_shared<AppliedUpdate>();
  audit->DescribeChanges([applied = update->applied] {
    return ListenerChanges(applied->before, applied->after);
  });
  ServerUnaryReactor* const reactor = context->DefaultReactor();
  data_plane_.listeners.UpdateListener(
      *std::move(update),
      FinishLater<ListenerInfo>(answers_, reactor, response, std::move(audit),
                                ListenerToProto, &ListenerFieldError));
  return reactor;
}

}  // namespace echod
