// SPDX-License-Identifier: Apache-2.0

#include "tests/bench/operators.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "tests/load/load_options.h"
#include "tests/load/load_run.h"
#include "tests/load/report.h"
#include "tests/support/server_process.h"

namespace echod::bench {
namespace {

using testing::ServerProcess;

constexpr int kStatsWatches = 10;
constexpr int kConnectionWatches = 2;

// CPU time of the thread that is the first worker's and the main loop's.
double DataPlaneSeconds(const ServerProcess& server) {
  std::ifstream file(absl::StrCat("/proc/", server.pid(), "/task/",
                                  server.pid(), "/schedstat"));
  double nanoseconds = 0;
  file >> nanoseconds;
  return nanoseconds / 1e9;
}

// Moves all other threads of the server to the CPU of the caller.
void MoveAdminPlaneHere(const ServerProcess& server) {
  cpu_set_t here;
  sched_getaffinity(0, sizeof here, &here);
  for (const auto& task : std::filesystem::directory_iterator(
           absl::StrCat("/proc/", server.pid(), "/task"))) {
    int tid = 0;
    if (absl::SimpleAtoi(task.path().filename().string(), &tid) &&
        tid != server.pid()) {
      sched_setaffinity(tid, sizeof here, &here);
    }
  }
}

class DataPlaneObserver final : public load::LoadObserver {
 public:
  explicit DataPlaneObserver(const ServerProcess& server) : server_(server) {}

  void OnMeasuring() override { start_ = DataPlaneSeconds(server_); }
  void OnMeasured() override { used_ = DataPlaneSeconds(server_) - start_; }
  double used() const { return used_; }

 private:
  const ServerProcess& server_;
  double start_ = 0;
  double used_ = 0;
};

}  // namespace

Operators::Operators(const std::string& admin_address, OperatorKind kind)
    : address_(admin_address), kind_(kind) {
  if (kind == OperatorKind::kOccasional) {
    Start([this](Stub& stub, grpc::ClientContext& /*context*/) {
      List(stub, std::chrono::seconds(1));
    });
    return;
  }
  for (int i = 0; i < kStatsWatches; ++i) {
    Start([](Stub& stub, grpc::ClientContext& context) {
      admin::v1::WatchStatsRequest request;
      request.mutable_interval()->set_nanos(100'000'000);
      const auto stream = stub.WatchStats(&context, request);
      admin::v1::Stats stats;
      while (stream->Read(&stats)) {
      }
    });
  }
  for (int i = 0; i < kConnectionWatches; ++i) {
    Start([](Stub& stub, grpc::ClientContext& context) {
      const auto stream =
          stub.WatchConnections(&context, admin::v1::WatchConnectionsRequest());
      admin::v1::ConnectionEvent event;
      while (stream->Read(&event)) {
      }
    });
  }
  Start([this](Stub& stub, grpc::ClientContext& /*context*/) {
    List(stub, std::chrono::seconds(0));
  });
}

Operators::~Operators() { Stop(); }

void Operators::Stop() {
  if (!stop_.HasBeenNotified()) stop_.Notify();
  for (const auto& context : contexts_) context->TryCancel();
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

void Operators::Start(std::function<void(Stub&, grpc::ClientContext&)> work) {
  grpc::ClientContext& context =
      *contexts_.emplace_back(std::make_unique<grpc::ClientContext>());
  threads_.emplace_back([this, &context, work = std::move(work)] {
    // Busy ones must not compete with the measured load for CPU time.
    if (kind_ == OperatorKind::kBusy) {
      setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), 19);
    }
    grpc::ChannelArguments own;
    own.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    const auto stub =
        admin::v1::AdminService::NewStub(grpc::CreateCustomChannel(
            address_, grpc::InsecureChannelCredentials(), own));
    work(*stub, context);
  });
}

void Operators::List(Stub& stub, std::chrono::seconds pause) {
  admin::v1::ListConnectionsRequest request;
  request.set_page_size(1000);
  request.set_filter("bytes_received > 0 AND NOT state = CLOSING");
  request.set_order_by("bytes_sent desc");
  while (!stop_.WaitForNotificationWithTimeout(absl::FromChrono(pause))) {
    grpc::ClientContext context;
    admin::v1::ListConnectionsResponse page;
    const auto begin = std::chrono::steady_clock::now();
    if (!stub.ListConnections(&context, request, &page).ok()) continue;
    const std::chrono::duration<double> took =
        std::chrono::steady_clock::now() - begin;
    if (page.connections_size() == request.page_size()) {
      page_times_.push_back(took.count());
    }
    request.set_page_token(page.next_page_token());
  }
}

BesideOperators MeasureBesideOperators(const Subject& subject,
                                       OperatorKind operators) {
  const ServerProcess server(
      {.flags = subject.flags, .program = subject.program, .cpu = subject.cpu});
  load::LoadOptions load;
  load.server = server.echo_address();
  load.mode = load::Mode::kRaw;
  load.connections = 10'000;
  load.rate = 20'000;
  load.reconnect_rate = 200;
  load.duration = absl::Seconds(4);
  std::optional<Operators> clients;
  if (operators != OperatorKind::kNone) {
    clients.emplace(server.admin_address(), operators);
  }
  if (subject.cpu >= 0) MoveAdminPlaneHere(server);
  DataPlaneObserver observer(server);
  const absl::StatusOr<load::LoadResult> result = load::RunLoad(load, observer);
  if (!result.ok() || !result->EverythingCameBack()) {
    std::fprintf(stderr, "bench: the load failed:\n%s\n",
                 result.ok() ? load::TextReport(load, *result).c_str()
                             : result.status().ToString().c_str());
    std::exit(1);
  }
  BesideOperators beside;
  if (clients.has_value()) {
    clients->Stop();
    beside.page_times = clients->page_times();
  }
  beside.cpu_per_request =
      observer.used() / static_cast<double>(result->counts.requests);
  beside.p99 = static_cast<double>(result->latencies.Percentile(99)) / 1e9;
  return beside;
}

}  // namespace echod::bench
