// SPDX-License-Identifier: Apache-2.0

// The method of AdminService that watches connections.

#include <utility>

#include "admin/service/admin_service.h"
#include "admin/service/connection_watch_stream.h"
#include "admin/service/finish_rpc.h"
#include "admin/transport/admin_peer.h"
#include "echo/filter/connection_filter.h"

namespace echod {
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
    options.comparisons = (*filter)->comparisons();
    options.filter = *std::move(filter);
  }
  const auto stream = connection_watches_.Start(std::move(options));
  if (!stream.ok()) return new FailedStream<Event>(stream.status());
  return *stream;
}

}  // namespace echod
