// SPDX-License-Identifier: Apache-2.0

#ifndef ADMIN_SERVICE_ADMIN_SERVICE_H_
#define ADMIN_SERVICE_ADMIN_SERVICE_H_

#include <grpcpp/support/server_callback.h>

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "admin/service/answer_thread.h"
#include "admin/service/answer_turns.h"
#include "admin/service/audit.h"
#include "admin/service/connection_list.h"
#include "admin/service/connection_watch_stream.h"
#include "admin/service/stats_watch.h"
#include "admin/service/turn_reactor.h"
#include "admin/transport/admin_counters.h"
#include "echo/control/data_plane.h"
#include "echo/control/listener_control.h"
#include "echo/control/server_control.h"
#include "echod/admin/v1/admin.grpc.pb.h"

namespace echod {

// The configuration at one moment.
struct ServerConfig {
  std::map<std::string, std::string> flags;  // by name
  std::string running;                       // the text of a configuration file
};

// The Kubernetes pod that the process runs in. What is not known is empty.
struct PodDescription {
  std::string name;
  std::string namespace_name;
  std::string node_name;
  std::string ip;
};

// What GetServer reports besides what the data plane knows.
struct ServerDescription {
  std::string version;
  std::string hostname;
  PodDescription pod;
  // Called on any thread; may be empty.
  std::function<ServerConfig()> config;
};

// The admin API: translates requests for the DataPlane, and its answers back.
// gRPC calls it on its own threads, where requests are translated; nothing
// waits there. The data plane gives its answers on its loops, which only move
// the values to the AnswerThread; there they are translated, and the RPCs
// finished. Thread-safe.
//
// The methods are in a file for each resource: admin_service.cc for the server,
// stats_methods.cc, log_methods.cc, listener_methods.cc, connection_methods.cc,
// watch_methods.cc.
class AdminService final : public admin::v1::AdminService::CallbackService {
 public:
  // What `data_plane` refers to, `counters` and `answers` outlive the service.
  // A client has `page_timeout` to read a page of connections.
  AdminService(DataPlane data_plane, const AdminCounters& counters,
               AnswerThread& answers, ServerDescription description,
               absl::Duration page_timeout);

  // Ends the open streams, and those that are started later. The server's
  // shutdown would wait for them.
  void StopWatches() {
    watches_.Stop();
    connection_watches_.Stop();
  }

  grpc::ServerUnaryReactor* GetServer(
      grpc::CallbackServerContext* context,
      const admin::v1::GetServerRequest* request,
      admin::v1::Server* response) override;
  grpc::ServerUnaryReactor* DrainServer(
      grpc::CallbackServerContext* context,
      const admin::v1::DrainServerRequest* request,
      admin::v1::Server* response) override;
  grpc::ServerUnaryReactor* SetLogLevel(
      grpc::CallbackServerContext* context,
      const admin::v1::SetLogLevelRequest* request,
      admin::v1::SetLogLevelResponse* response) override;
  grpc::ServerUnaryReactor* GetStats(grpc::CallbackServerContext* context,
                                     const admin::v1::GetStatsRequest* request,
                                     admin::v1::Stats* response) override;
  grpc::ServerUnaryReactor* ResetStats(
      grpc::CallbackServerContext* context,
      const admin::v1::ResetStatsRequest* request,
      admin::v1::Stats* response) override;
  grpc::ServerWriteReactor<admin::v1::Stats>* WatchStats(
      grpc::CallbackServerContext* context,
      const admin::v1::WatchStatsRequest* request) override;
  grpc::ServerUnaryReactor* ListListeners(
      grpc::CallbackServerContext* context,
      const admin::v1::ListListenersRequest* request,
      admin::v1::ListListenersResponse* response) override;
  grpc::ServerUnaryReactor* GetListener(
      grpc::CallbackServerContext* context,
      const admin::v1::GetListenerRequest* request,
      admin::v1::Listener* response) override;
  grpc::ServerUnaryReactor* CreateListener(
      grpc::CallbackServerContext* context,
      const admin::v1::CreateListenerRequest* request,
      admin::v1::Listener* response) override;
  grpc::ServerUnaryReactor* DeleteListener(
      grpc::CallbackServerContext* context,
      const admin::v1::DeleteListenerRequest* request,
      admin::v1::Listener* response) override;
  grpc::ServerUnaryReactor* PauseListener(
      grpc::CallbackServerContext* context,
      const admin::v1::PauseListenerRequest* request,
      admin::v1::Listener* response) override;
  grpc::ServerUnaryReactor* ResumeListener(
      grpc::CallbackServerContext* context,
      const admin::v1::ResumeListenerRequest* request,
      admin::v1::Listener* response) override;
  grpc::ServerUnaryReactor* UpdateListener(
      grpc::CallbackServerContext* context,
      const admin::v1::UpdateListenerRequest* request,
      admin::v1::Listener* response) override;
  grpc::ServerUnaryReactor* ListConnections(
      grpc::CallbackServerContext* context,
      const admin::v1::ListConnectionsRequest* request,
      admin::v1::ListConnectionsResponse* response) override;
  grpc::ServerUnaryReactor* GetConnection(
      grpc::CallbackServerContext* context,
      const admin::v1::GetConnectionRequest* request,
      admin::v1::Connection* response) override;
  grpc::ServerWriteReactor<admin::v1::ConnectionEvent>* WatchConnections(
      grpc::CallbackServerContext* context,
      const admin::v1::WatchConnectionsRequest* request) override;
  grpc::ServerUnaryReactor* CloseConnection(
      grpc::CallbackServerContext* context,
      const admin::v1::CloseConnectionRequest* request,
      admin::v1::Connection* response) override;
  grpc::ServerUnaryReactor* CloseConnections(
      grpc::CallbackServerContext* context,
      const admin::v1::CloseConnectionsRequest* request,
      admin::v1::CloseConnectionsResponse* response) override;

 private:
  // Of a request that may be wrong.
  grpc::ServerUnaryReactor* SetPaused(grpc::CallbackServerContext* context,
                                      std::unique_ptr<Audit> audit,
                                      absl::StatusOr<ListenerPause> pause,
                                      admin::v1::Listener* response);

  admin::v1::Server Describe(const ServerInfo& info) const;
  admin::v1::Stats ReadStats(admin::v1::StatsView view) const;
  // Asks for a page that skips nothing, and finishes the RPC with it.
  void MakePage(ConnectionList list, TurnReactor* reactor,
                admin::v1::ListConnectionsResponse* response);

  const DataPlane data_plane_;
  const AdminCounters& counters_;
  AnswerThread& answers_;
  const ServerDescription description_;
  const absl::Duration page_timeout_;
  StatsWatches watches_;
  ConnectionWatches connection_watches_;
  AnswerTurns list_turns_;

  mutable std::mutex admin_baseline_mutex_;
  admin::v1::AdminStats admin_baseline_;  // at the last reset; guarded by it
};

}  // namespace echod

#endif  // ADMIN_SERVICE_ADMIN_SERVICE_H_
