// SPDX-License-Identifier: Apache-2.0

#ifndef ADMIN_HTTP_METRICS_SERVER_H_
#define ADMIN_HTTP_METRICS_SERVER_H_

#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "admin/http/process_figures.h"
#include "admin/transport/admin_counters.h"
#include "admin/transport/health_state.h"
#include "echo/base/socket_address.h"
#include "echo/base/unique_fd.h"
#include "echo/control/server_control.h"
#include "echo/event/event_loop.h"
#include "echo/event/http_server.h"
#include "echo/event/timer.h"

namespace echod {

struct MetricsServerOptions {
  std::string address;  // host:port, IPv6 in brackets; port 0: any
  std::string version;  // of echod
  HttpLimits limits = {};
  // Called if the server's loop fails, after which it serves no connections.
  // The last call on the server's thread.
  std::function<void()> on_failed = [] {};
};

// Serves figures and health over HTTP, on a loop and a thread of its own:
//
//   /metrics  every figure of GetStats, and the process, for Prometheus
//   /healthz  200 while gRPC health checks answer SERVING for ""
//   /livez    200 while they do for "liveness"
//   /readyz   200 while they do for "readiness"
//
// The latter three say with 503 what is wrong. Asks for no credentials; choose
// its address accordingly. Not thread-safe, except where noted: use it on the
// thread that created it.
class MetricsServer {
 public:
  // Listens on the address, with the errors of SocketAddress::Parse,
  // OpenListenSocket and EventLoop::Create, and RESOURCE_EXHAUSTED if no thread
  // can be started. The others outlive the server.
  static absl::StatusOr<std::unique_ptr<MetricsServer>> Start(
      MetricsServerOptions options, const ServerControl& server,
      const AdminCounters& admin, const HealthState& health);

  // Stops, and closes all connections immediately.
  ~MetricsServer();
  MetricsServer(const MetricsServer&) = delete;
  MetricsServer& operator=(const MetricsServer&) = delete;

  // host:port, IPv6 in brackets. Thread-safe.
  const std::string& bound_address() const { return bound_address_; }

  // Closes the port, lets clients read for `time` the answers that are being
  // sent, and ends the thread. May be called again.
  void Stop(absl::Duration time);

 private:
  MetricsServer(MetricsServerOptions options, const ServerControl& server,
                const AdminCounters& admin, const HealthState& health,
                std::unique_ptr<EventLoop> loop);
  void Run();
  HttpAnswer Answer(const HttpRequest& request);
  HttpAnswer Metrics(absl::string_view accept);

  // Constant after construction.
  const MetricsServerOptions options_;
  const ServerControl& server_;
  const AdminCounters& admin_;
  const HealthState& health_;
  std::string bound_address_;

  // Used by the server's thread while it runs, otherwise by the owner's.
  const std::unique_ptr<EventLoop> loop_;
  ProcessFigureReader process_;
  std::unique_ptr<HttpServer> http_;
  Timer cut_;  // ends the loop

  std::thread thread_;
};

}  // namespace echod

#endif  // ADMIN_HTTP_METRICS_SERVER_H_
