// SPDX-License-Identifier: Apache-2.0

#include "tests/bench/operators.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "echo/base/histogram.h"
#include "tests/load/load_options.h"
#include "tests/load/load_run.h"
#include "tests/load/report.h"
#include "tests/support/server_process.h"
#include "tests/support/tcp_client.h"

namespace echod::bench {
namespace {

using testing::ServerProcess;

constexpr int kStatsWatches = 10;
constexpr int kConnectionWatches = 2;

// Of a turn. Where the host of a virtual machine takes its CPUs away for
// milliseconds several times per second, most slices are free of that.
constexpr int kSlices = 20;

constexpr int kTwinConnections = 1500;
// Between two pages of a list of the twin, which is idle: about as long as a
// page of a busy server takes.
constexpr std::chrono::seconds kTwinPause{1};

// Between two turns: until the new operators have used up the credit of their
// lists, and the work for those before them has ended.
constexpr absl::Duration kSettleTime = absl::Seconds(2);

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

// While it exists, the calling thread and those that it starts take precedence
// over all others of their CPU.
class Precedence {
 public:
  Precedence() {
    if (!Set(SCHED_FIFO, 1)) {
      std::fputs(
          "bench: may not give the load precedence over the operators (needs "
          "CAP_SYS_NICE); its\nlatencies include its own waiting for the CPU\n",
          stderr);
    }
  }
  ~Precedence() { Set(SCHED_OTHER, 0); }
  Precedence(const Precedence&) = delete;
  Precedence& operator=(const Precedence&) = delete;

 private:
  static bool Set(int policy, int priority) {
    const sched_param parameter = {.sched_priority = priority};
    return sched_setscheduler(0, policy, &parameter) == 0;
  }
};

// While it exists, takes what others leave of the caller's CPU, so that it is
// never idle. A server spends time on waking an idle CPU, and would spend less
// beside operators.
class Filler {
 public:
  Filler()
      : thread_([this] {
          const sched_param parameter = {};
          sched_setscheduler(0, SCHED_IDLE, &parameter);
          while (!stop_.load(std::memory_order_relaxed)) {
          }
        }) {}
  ~Filler() {
    stop_.store(true, std::memory_order_relaxed);
    thread_.join();
  }
  Filler(const Filler&) = delete;
  Filler& operator=(const Filler&) = delete;

 private:
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

// A server on the caller's CPU whose clients are at rest, for operators whose
// work must not concern the server that is measured.
class Twin {
 public:
  explicit Twin(const Subject& subject)
      : server_({.flags = subject.flags,
                 .program = subject.program,
                 .cpu = sched_getcpu()}) {
    for (int i = 0; i < kTwinConnections; ++i) {
      std::optional<testing::TcpClient> client =
          testing::TcpClient::Connect(server_.echo_address());
      if (!client.has_value() || !client->Send("x") || client->Read(1) != "x") {
        std::fputs("bench: the twin does not echo\n", stderr);
        std::exit(1);
      }
      clients_.push_back(*std::move(client));
    }
  }

  const std::string& admin_address() const { return server_.admin_address(); }

 private:
  const ServerProcess server_;
  std::vector<testing::TcpClient> clients_;
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
    List(stub, kind_ == OperatorKind::kBusyElsewhere ? kTwinPause
                                                     : std::chrono::seconds(0));
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
    if (kind_ != OperatorKind::kOccasional) {
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

namespace {

// Divides the measured part of a run into turns, one beside each kind of
// operators, and turns into slices, each with a series of latencies.
class Turns final : public load::LoadObserver {
 public:
  Turns(const ServerProcess& server, const Twin& twin,
        const std::vector<OperatorKind>& kinds, bool move_admin_plane)
      : server_(server),
        twin_(twin),
        kinds_(kinds),
        move_admin_plane_(move_admin_plane) {}

  const std::atomic<int>& current() const { return current_; }
  const std::vector<double>& cpu_seconds() const { return cpu_seconds_; }
  const std::vector<std::vector<double>>& page_times() const {
    return page_times_;
  }

  void OnMeasuring() override { Start(); }

  void OnProgress(absl::Duration /*elapsed*/,
                  const load::LoadCounts& /*counts*/,
                  std::int64_t /*open_connections*/) override {
    current_.store(-1, std::memory_order_relaxed);
    cpu_seconds_.push_back(DataPlaneSeconds(server_) - cpu_before_);
    page_times_.emplace_back();
    if (operators_.has_value()) {
      operators_->Stop();
      page_times_.back() = operators_->page_times();
      operators_.reset();
    }
    if (!done()) Start();
  }

  // Called with the rest of the second until OnProgress, or while connecting.
  bool Wait(absl::Duration time) override {
    if (done()) return false;
    if (current_.load(std::memory_order_relaxed) < 0) {
      return LoadObserver::Wait(time);
    }
    for (int i = 0; i < kSlices; ++i) {
      if (i > 0) current_.fetch_add(1, std::memory_order_relaxed);
      absl::SleepFor(time / kSlices);
    }
    return true;
  }

 private:
  bool done() const { return cpu_seconds_.size() == kinds_.size(); }

  void Start() {
    const std::size_t turn = cpu_seconds_.size();
    const OperatorKind kind = kinds_[turn];
    if (kind != OperatorKind::kNone) {
      operators_.emplace(kind == OperatorKind::kBusyElsewhere
                             ? twin_.admin_address()
                             : server_.admin_address(),
                         kind);
    }
    absl::SleepFor(kSettleTime);
    if (move_admin_plane_) MoveAdminPlaneHere(server_);
    cpu_before_ = DataPlaneSeconds(server_);
    current_.store(static_cast<int>(turn) * kSlices, std::memory_order_relaxed);
  }

  const ServerProcess& server_;
  const Twin& twin_;
  const std::vector<OperatorKind>& kinds_;
  const bool move_admin_plane_;
  std::optional<Operators> operators_;
  std::atomic<int> current_{-1};
  double cpu_before_ = 0;
  std::vector<double> cpu_seconds_;              // of each turn
  std::vector<std::vector<double>> page_times_;  // of each turn
};

}  // namespace

std::vector<BesideOperators> MeasureBesideOperators(
    const Subject& subject, const std::vector<OperatorKind>& kinds) {
  const ServerProcess server(
      {.flags = subject.flags, .program = subject.program, .cpu = subject.cpu});
  const Twin twin(subject);
  const Filler filler;
  Turns turns(server, twin, kinds, subject.cpu >= 0);
  load::LoadOptions load;
  load.server = server.echo_address();
  load.mode = load::Mode::kRaw;
  load.connections = 10'000;
  load.rate = 20'000;
  load.reconnect_rate = 200;
  load.duration = absl::Hours(1);  // `turns` ends it
  load.series = static_cast<int>(kinds.size()) * kSlices;
  load.current_series = &turns.current();
  const absl::StatusOr<load::LoadResult> result = [&] {
    const Precedence precedence;
    return load::RunLoad(load, turns);
  }();
  if (!result.ok() || !result->EverythingCameBack()) {
    std::fprintf(stderr, "bench: the load failed:\n%s\n",
                 result.ok() ? load::TextReport(load, *result).c_str()
                             : result.status().ToString().c_str());
    std::exit(1);
  }
  std::vector<BesideOperators> beside(kinds.size());
  for (std::size_t i = 0; i < beside.size(); ++i) {
    std::uint64_t requests = 0;
    std::vector<double> slices;
    for (int slice = 0; slice < kSlices; ++slice) {
      const Histogram& latencies =
          result->series[i * kSlices + static_cast<std::size_t>(slice)];
      requests += latencies.count();
      slices.push_back(static_cast<double>(latencies.Percentile(99)) / 1e9);
    }
    beside[i].cpu_per_request =
        turns.cpu_seconds()[i] / static_cast<double>(requests);
    beside[i].p99 = Median(std::move(slices));
    beside[i].page_times = turns.page_times()[i];
  }
  return beside;
}

}  // namespace echod::bench
