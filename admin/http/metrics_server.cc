// SPDX-License-Identifier: Apache-2.0

#include "admin/http/metrics_server.h"

#include <pthread.h>

#include <algorithm>
#include <cstdint>
#include <system_error>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "admin/http/exposition.h"
#include "admin/http/metric_table.h"
#include "echo/base/descriptor_limit.h"
#include "echo/base/logging.h"
#include "echo/base/resource_error.h"
#include "echo/net/listen_socket.h"

namespace echod {
namespace {

constexpr int kBacklog = 128;

// At most an eighth of the process's descriptors.
HttpLimits Affordable(HttpLimits limits) {
  limits.max_connections = std::clamp<std::uint64_t>(RaiseDescriptorLimit() / 8,
                                                     1, limits.max_connections);
  return limits;
}

HttpAnswer HealthAnswer(const std::string& problem) {
  if (problem.empty()) return {.body = "ok\n"};
  return {.status = 503, .body = absl::StrCat(problem, "\n")};
}

}  // namespace

absl::StatusOr<std::unique_ptr<MetricsServer>> MetricsServer::Start(
    MetricsServerOptions options, const ServerControl& server,
    const AdminCounters& admin, const HealthState& health) {
  const absl::StatusOr<SocketAddress> address =
      SocketAddress::Parse(options.address);
  if (!address.ok()) return address.status();
  absl::StatusOr<ListenSocket> listening = OpenListenSocket(*address, kBacklog);
  if (!listening.ok()) return listening.status();
  absl::StatusOr<std::unique_ptr<EventLoop>> loop = EventLoop::Create();
  if (!loop.ok()) return loop.status();
  auto metrics = std::unique_ptr<MetricsServer>(new MetricsServer(
      std::move(options), server, admin, health, *std::move(loop)));
  MetricsServer& self = *metrics;
  self.bound_address_ = listening->address.ToString();
  self.http_ = std::make_unique<HttpServer>(
      *self.loop_, std::move(listening->fd), self.bound_address_,
      Affordable(self.options_.limits),
      [&self](const HttpRequest& request) { return self.Answer(request); });
  try {
    self.thread_ = std::thread([&self] { self.Run(); });
  } catch (const std::system_error& error) {
    return ResourceError("start the HTTP server's thread",
                         error.code().value());
  }
  return metrics;
}

MetricsServer::MetricsServer(MetricsServerOptions options,
                             const ServerControl& server,
                             const AdminCounters& admin,
                             const HealthState& health,
                             std::unique_ptr<EventLoop> loop)
    : options_(std::move(options)),
      server_(server),
      admin_(admin),
      health_(health),
      loop_(std::move(loop)),
      cut_(*loop_, [this] { loop_->Stop(); }) {}

MetricsServer::~MetricsServer() { Stop(absl::ZeroDuration()); }

void MetricsServer::Run() {
  pthread_setname_np(pthread_self(), "http");
  const absl::Status ended = loop_->Run();
  http_.reset();
  if (ended.ok()) return;
  LogError(
      absl::StrCat("the HTTP server's event loop failed: ", ended.message(),
                   "; /metrics and health checks over HTTP are no longer "
                   "reachable, and echod drains and exits"));
  options_.on_failed();
}

void MetricsServer::Stop(absl::Duration time) {
  if (!thread_.joinable()) return;
  loop_->Post([this, time] {
    cut_.Arm(time);
    http_->Stop([this] { loop_->Stop(); });
  });
  thread_.join();
}

HttpAnswer MetricsServer::Answer(const HttpRequest& request) {
  if (request.path == "/metrics") return Metrics(request.accept);
  if (request.path == "/livez") return HealthAnswer(health_.Read().live);
  if (request.path == "/readyz") return HealthAnswer(health_.Read().ready);
  if (request.path == "/healthz") return HealthAnswer(health_.Read().serving);
  return {
      .status = 404,
      .body = "not found; there are:\n/healthz\n/livez\n/metrics\n/readyz\n"};
}

HttpAnswer MetricsServer::Metrics(absl::string_view accept) {
  const ExpositionFormat format = FormatFor(accept);
  const Stats stats = server_.GetStats();
  const ServerInfo server = server_.GetServer();
  const HealthState::Problems health = health_.Read();
  const ProcessFigures process = process_.Read();
  return {.content_type = std::string(ContentTypeOf(format)),
          .body = Expose(CollectMetrics({.stats = stats,
                                         .server = server,
                                         .admin = admin_,
                                         .http = http_->figures(),
                                         .health = health,
                                         .process = process,
                                         .version = options_.version}),
                         format)};
}

}  // namespace echod
