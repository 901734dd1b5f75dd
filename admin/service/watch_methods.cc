// SPDX-License-Identifier: Apache-2.0

// The method of AdminService that watches connections.

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "admin/service/admin_service.h"
#include "admin/service/connection_watch_stream.h"
#include "admin/service/finish_rpc.h"
#include "admin/transport/admin_peer.h"
#include "echo/control/control_error.h"
#include "echo/filter/connection_filter.h"

namespace echod {
namespace {

absl::Status TooManyWatchesError() {
  return ControlError(
      absl::StatusCode::kResourceExhausted,
      absl::StrCat("a client can have ", ConnectionWatches::kMostOfClient,
                   " open WatchConnections streams, and all clients together ",
                   ConnectionWatches::kMost,
                   "; end one, or watch more with one filter"),
      {.reason = "TOO_MANY_WATCHES", .field = "", .errno_name = ""});
}

}  // namespace

grpc::ServerWriteReactor<admin::v1::ConnectionEvent>*
AdminService::WatchConnections(
    grpc::CallbackServerContext* context,
    const admin::v1::WatchConnectionsRequest* request) {
  using Event = admin::v1::ConnectionEvent;
  ConnectionWatches::Options options;
  options.client = ClientOfPeer(context->peer());
  options.pauses = request->include_pauses();
  if (!request->filter().empty()) {
    auto filter = ConnectionFilter::Compile(request->filter());
    if (!filter.ok()) return new FailedStream<Event>(filter.status());
    options.filter = *std::move(filter);
  }
  auto* const stream = connection_watches_.Start(std::move(options));
  if (stream == nullptr) return new FailedStream<Event>(TooManyWatchesError());
  return stream;
}

}  // namespace echod
