// SPDX-License-Identifier: Apache-2.0

#include "tests/bench/measure.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "tests/load/load_run.h"
#include "tests/load/report.h"
#include "tests/support/server_process.h"
#include "tests/support/tcp_client.h"

namespace echod::bench {
namespace {

using testing::ServerProcess;

// Reads the server's CPU time when the measured part starts and ends.
class CpuObserver final : public load::LoadObserver {
 public:
  explicit CpuObserver(const ServerProcess& server) : server_(server) {}

  void OnMeasuring() override { start_ = server_.CpuTime(); }
  void OnMeasured() override { used_ = server_.CpuTime() - start_; }
  absl::Duration used() const { return used_; }

 private:
  const ServerProcess& server_;
  absl::Duration start_;
  absl::Duration used_;
};

ServerProcess::Options ProcessOptions(const Subject& subject,
                                      std::vector<std::string> wrapper = {}) {
  ServerProcess::Options options;
  options.program = subject.program;
  options.flags = subject.flags;
  options.wrapper = std::move(wrapper);
  options.cpu = subject.cpu;
  return options;
}

load::LoadResult MustRun(const load::LoadOptions& options,
                         load::LoadObserver& observer) {
  absl::StatusOr<load::LoadResult> result = load::RunLoad(options, observer);
  if (!result.ok() || !result->EverythingCameBack()) {
    std::fprintf(stderr, "bench: the load failed:\n%s\n",
                 result.ok() ? load::TextReport(options, *result).c_str()
                             : result.status().ToString().c_str());
    std::exit(1);
  }
  return *std::move(result);
}

// A running server, and its results so far.
class Contender {
 public:
  explicit Contender(const Subject& subject)
      : server_(ProcessOptions(subject)) {}

  void Run(load::LoadOptions load) {
    load.server = server_.echo_address();
    CpuObserver observer(server_);
    const load::LoadResult result = MustRun(load, observer);
    requests_ += static_cast<double>(result.counts.requests);
    measured_ += result.measured;
    server_cpu_ += observer.used();
    load_cpu_ += result.cpu_time;
  }

  Measurement Sum() const {
    return {
        .requests_per_second = requests_ / absl::ToDoubleSeconds(measured_),
        .server_cpu_per_request =
            absl::ToDoubleSeconds(server_cpu_) / requests_,
        .load_cpu_per_request = absl::ToDoubleSeconds(load_cpu_) / requests_};
  }

 private:
  const ServerProcess server_;
  double requests_ = 0;
  absl::Duration measured_;
  absl::Duration server_cpu_;
  absl::Duration load_cpu_;
};

bool Installed(const std::string& program) {
  const char* const path = std::getenv("PATH");
  std::istringstream folders(path != nullptr ? path : "");
  for (std::string folder; std::getline(folders, folder, ':');) {
    std::error_code ignored;
    if (std::filesystem::exists(std::filesystem::path(folder) / program,
                                ignored))
      return true;
  }
  return false;
}

// Runs the subject under a program that counts something, and writes the count
// to a file when the subject exits.
struct Count {
  double counted = 0;
  double requests = 0;
};
Count RunCounted(const Subject& subject, load::LoadOptions options,
                 const std::vector<std::string>& wrapper,
                 const std::string& file,
                 const std::function<double(std::istream&)>& parse) {
  std::filesystem::remove(file);
  Count count;
  {
    ServerProcess server(ProcessOptions(subject, wrapper));
    options.server = server.echo_address();
    load::LoadObserver observer;
    count.requests =
        static_cast<double>(MustRun(options, observer).whole.requests);
    server.Signal(SIGTERM);
    server.WaitForExit();
  }
  // A tracer may exit after the traced process.
  for (int i = 0; i < 1000; ++i) {
    std::ifstream in(file);
    count.counted = in ? parse(in) : 0;
    if (count.counted > 0) break;
    absl::SleepFor(absl::Milliseconds(10));
  }
  std::filesystem::remove(file);
  return count;
}

// The count per request. A second, shorter run is subtracted to exclude startup
// and shutdown.
double CountPerRequest(const Subject& subject, load::LoadOptions options,
                       const std::vector<std::string>& wrapper,
                       const std::string& file,
                       const std::function<double(std::istream&)>& parse) {
  const Count longer = RunCounted(subject, options, wrapper, file, parse);
  options.duration /= 10;
  const Count shorter = RunCounted(subject, options, wrapper, file, parse);
  return (longer.counted - shorter.counted) /
         (longer.requests - shorter.requests);
}

std::string ScratchFile(const std::string& name) {
  return (std::filesystem::temp_directory_path() /
          absl::StrCat("echod-bench-", getpid(), "-", name))
      .string();
}

}  // namespace

Subject Echod(load::Mode mode, int workers) {
  return {.flags = {mode == load::Mode::kLine ? "--mode=line" : "--mode=raw",
                    absl::StrCat("--workers=", workers), "--log_level=warning",
                    "--idle_timeout=60s", "--max_connection_age=1h",
                    "--write_stall_timeout=60s",
                    "--max_connections_per_address=100000",
                    "--max_total_connections=100000",
                    "--max_connections=100000"}};
}

Subject Reference(const std::string& kind, load::Mode mode, int workers) {
  return {.program = "tests/bench/reference_server",
          .flags = {mode == load::Mode::kLine ? "--mode=line" : "--mode=raw",
                    absl::StrCat("--workers=", workers),
                    absl::StrCat("--kind=", kind)}};
}

std::pair<Measurement, Measurement> MeasureByTurns(const Subject& first,
                                                   const Subject& second,
                                                   load::LoadOptions load,
                                                   int turns) {
  Contender one(first);
  Contender other(second);
  load.duration /= turns;
  for (int turn = 0; turn < turns; ++turn) {
    // The server that went second continues.
    (turn % 2 == 0 ? one : other).Run(load);
    (turn % 2 == 0 ? other : one).Run(load);
  }
  return {one.Sum(), other.Sum()};
}

double MeasureMemory(const Subject& subject, load::Mode mode, int connections) {
  class RestObserver final : public load::LoadObserver {
   public:
    explicit RestObserver(const ServerProcess& server) : server_(server) {}
    void OnMeasured() override { resident_ = server_.ResidentBytes(); }
    std::int64_t resident() const { return resident_; }

   private:
    const ServerProcess& server_;
    std::int64_t resident_ = 0;
  };

  const ServerProcess server(ProcessOptions(subject));
  load::LoadOptions load;
  load.server = server.echo_address();
  load.mode = mode;
  load::LoadObserver ignored;
  // Some work first, so that one-time allocations are done.
  load.connections = 100;
  load.duration = absl::Milliseconds(200);
  MustRun(load, ignored);
  const std::int64_t before = server.ResidentBytes();

  load.connections = connections;
  load.rate = connections;
  load.duration = absl::Seconds(2);
  RestObserver observer(server);
  MustRun(load, observer);
  return static_cast<double>(observer.resident() - before) / connections;
}

Neighbours MeasureNeighbours(const Subject& subject) {
  constexpr double kPercentile = 99;
  constexpr int kStuck = 1000;
  const ServerProcess server(ProcessOptions(subject));
  load::LoadOptions load;
  load.server = server.echo_address();
  load.mode = load::Mode::kRaw;
  load.connections = 100;
  load.rate = 5000;
  load.duration = absl::Seconds(2);
  load::LoadObserver ignored;
  const auto p99 = [&] {
    return static_cast<double>(
               MustRun(load, ignored).latencies.Percentile(kPercentile)) /
           1e9;
  };
  Neighbours neighbours;
  neighbours.alone = p99();
  {
    // Streams until stopped.
    class Until final : public load::LoadObserver {
     public:
      bool Wait(absl::Duration time) override {
        return !stop && LoadObserver::Wait(std::min(time, absl::Seconds(0.1)));
      }
      std::atomic<bool> stop{false};
    };
    Until until;
    load::LoadOptions stream = load;
    stream.connections = 1;
    stream.rate = 0;
    stream.request_bytes = 64 * 1024;
    stream.pipeline = 16;
    stream.duration = absl::Minutes(5);
    std::thread streamer([&] {
      // Must not compete with the measured load for CPU time.
      setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), 19);
      MustRun(stream, until);
    });
    neighbours.beside_a_stream = p99();
    until.stop = true;
    streamer.join();
  }
  const std::int64_t before = server.ResidentBytes();
  std::vector<testing::TcpClient> stuck;
  for (int i = 0; i < kStuck; ++i) {
    // By default, the kernel would buffer megabytes per connection, run out of
    // memory for TCP, and drop the segments of the others.
    stuck.push_back(server.Connect({.receive_buffer = 16 << 10,
                                    .send_buffer = 16 << 10,
                                    .max_segment = 1460}));
  }
  const std::string bytes(1 << 20, 'x');
  // Until the server has stopped reading for a while.
  for (int rests = 0; rests < 3;) {
    std::size_t sent = 0;
    for (testing::TcpClient& client : stuck) sent += client.SendSome(bytes);
    if (sent > 0) {
      rests = 0;
    } else {
      ++rests;
      absl::SleepFor(absl::Milliseconds(50));
    }
  }
  // Initially, both kernels probe each closed window five times per second, and
  // then less and less often.
  absl::SleepFor(absl::Seconds(4));
  neighbours.beside_the_stuck = p99();
  neighbours.stuck_bytes =
      static_cast<double>(server.ResidentBytes() - before) / kStuck;
  return neighbours;
}

double CountSystemCalls(const Subject& subject, const load::LoadOptions& load) {
  if (!Installed("strace")) return -1;
  const std::string file = ScratchFile("strace");
  // -D: makes the subject our child instead of the tracer.
  return CountPerRequest(subject, load,
                         {"strace", "-D", "-f", "-qq", "-c", "-o", file}, file,
                         [](std::istream& in) {
                           // % time, seconds, usecs/call, calls, (errors,)
                           // syscall; last: total.
                           double calls = 0;
                           for (std::string line; std::getline(in, line);) {
                             std::istringstream words(line);
                             std::string word;
                             for (int i = 0; i < 4; ++i) words >> word;
                             if (line.find("total") != std::string::npos &&
                                 !absl::SimpleAtod(word, &calls)) {
                               calls = 0;
                             }
                           }
                           return calls;
                         });
}

double CountInstructions(const Subject& subject,
                         const load::LoadOptions& load) {
  if (!Installed("valgrind")) return -1;
  const std::string file = ScratchFile("callgrind");
  return CountPerRequest(subject, load,
                         {"valgrind", "-q", "--tool=callgrind",
                          absl::StrCat("--callgrind-out-file=", file)},
                         file, [](std::istream& in) {
                           double instructions = 0;
                           for (std::string line; std::getline(in, line);) {
                             std::istringstream words(line);
                             std::string key;
                             words >> key;
                             double value = 0;
                             if ((key == "summary:" || key == "totals:") &&
                                 words >> value && value > 0) {
                               instructions = value;
                             }
                           }
                           return instructions;
                         });
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle]
                                : (values[middle - 1] + values[middle]) / 2;
}

std::string Spread(const std::vector<double>& values, int digits) {
  const auto [least, greatest] =
      std::minmax_element(values.begin(), values.end());
  return absl::StrFormat("%.*f (%.*f-%.*f)", digits, Median(values), digits,
                         *least, digits, *greatest);
}

}  // namespace echod::bench
