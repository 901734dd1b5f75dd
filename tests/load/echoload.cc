// SPDX-License-Identifier: Apache-2.0

// The load generator. See `echoload --help`.

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "echo/base/command_line.h"
#include "echo/base/descriptor_limit.h"
#include "echo/base/socket_address.h"
#include "tests/load/hgrm.h"
#include "tests/load/load_options.h"
#include "tests/load/load_run.h"
#include "tests/load/report.h"
#include "tests/load/resolve.h"

namespace echod::load {

enum class Output : std::uint8_t { kText, kJson };

// absl finds these by argument-dependent lookup.
static bool AbslParseFlag(absl::string_view text, Mode* mode,
                          std::string* error) {
  *mode = text == "raw" ? Mode::kRaw : Mode::kLine;
  if (text == "line" || text == "raw") return true;
  *error = "choose line or raw";
  return false;
}

static std::string AbslUnparseFlag(Mode mode) {
  return mode == Mode::kLine ? "line" : "raw";
}

static bool AbslParseFlag(absl::string_view text, Output* output,
                          std::string* error) {
  *output = text == "json" ? Output::kJson : Output::kText;
  if (text == "text" || text == "json") return true;
  *error = "choose text or json";
  return false;
}

static std::string AbslUnparseFlag(Output output) {
  return output == Output::kText ? "text" : "json";
}

}  // namespace echod::load

ABSL_FLAG(echod::load::Mode, mode, echod::load::Mode::kLine,
          "line sends lines and expects the answers of echod's line mode, YOU "
          "SAID <line>; raw sends bytes and expects the same bytes (RFC 862). "
          "Default: line.");
ABSL_FLAG(int, connections, 100,
          "The number of concurrent connections. Default: 100.");
ABSL_FLAG(std::int64_t, size, 64,
          "The size of a request in bytes, including the newline in line mode. "
          "Default: 64.");
ABSL_FLAG(int, pipeline, 1,
          "The maximum number of outstanding requests per connection. Default: "
          "1.");
ABSL_FLAG(int, in_flight, 0,
          "The maximum number of outstanding requests of all connections "
          "together; the connections take turns. Default: 0, limited only by "
          "--pipeline.");
ABSL_FLAG(int, threads, 1,
          "The number of threads that generate load. Default: 1.");
ABSL_FLAG(double, rate, 0,
          "Requests per second of all connections together. Each request is "
          "scheduled independently of earlier answers, and its latency counts "
          "from the scheduled time, so that a stall of the server shows. "
          "Default: 0, a closed loop, in which each answer triggers the next "
          "request.");
ABSL_FLAG(absl::Duration, duration, absl::Seconds(10),
          "The time to measure, after all connections are established. "
          "Default: 10s.");
ABSL_FLAG(absl::Duration, ramp, absl::ZeroDuration(),
          "The time over which the connections are opened evenly. Default: 0, "
          "as fast as possible.");
ABSL_FLAG(absl::Duration, timeout, absl::Seconds(10),
          "The maximum time to establish a connection, or to wait for the next "
          "bytes of an answer. Default: 10s.");
ABSL_FLAG(std::int64_t, requests_per_connection, 0,
          "The number of requests after which a connection is closed and a new "
          "one opened; 1 opens a connection for every request. Default: 0, "
          "never.");
ABSL_FLAG(double, reconnect_rate, 0,
          "Connections per second, taken in turns, that are closed once they "
          "have received their answers, and replaced by new ones. Default: 0, "
          "never.");
ABSL_FLAG(echod::load::Output, output, echod::load::Output::kText,
          "The format of the report, text or json. Default: text.");
ABSL_FLAG(std::string, hgrm, "",
          "A file for the latency distribution, in the .hgrm format of HDR "
          "histogram plotters. Default: none.");

namespace echod::load {
namespace {

constexpr int kExitNotAllCameBack = 1;
constexpr int kExitCannotRun = 2;

int CannotRun(const absl::Status& status) {
  std::fprintf(stderr, "echoload: %s\n", std::string(status.message()).c_str());
  return kExitCannotRun;
}

absl::StatusOr<LoadOptions> OptionsFromFlags() {
  LoadOptions options;
  options.mode = absl::GetFlag(FLAGS_mode);
  options.connections = absl::GetFlag(FLAGS_connections);
  options.request_bytes = static_cast<std::size_t>(
      std::max<std::int64_t>(0, absl::GetFlag(FLAGS_size)));
  options.pipeline = absl::GetFlag(FLAGS_pipeline);
  options.in_flight = absl::GetFlag(FLAGS_in_flight);
  options.threads = absl::GetFlag(FLAGS_threads);
  options.rate = absl::GetFlag(FLAGS_rate);
  options.duration = absl::GetFlag(FLAGS_duration);
  options.ramp = absl::GetFlag(FLAGS_ramp);
  options.timeout = absl::GetFlag(FLAGS_timeout);
  options.requests_per_connection =
      absl::GetFlag(FLAGS_requests_per_connection);
  options.reconnect_rate = absl::GetFlag(FLAGS_reconnect_rate);
  if (absl::Status valid = ValidateLoad(options); !valid.ok()) return valid;
  return options;
}

// Returns the server's addresses; use the first that accepts connections.
absl::StatusOr<std::vector<SocketAddress>> ServersFrom(
    const CommandLine& line) {
  if (line.arguments.size() != 1) {
    return absl::InvalidArgumentError(
        "name one server as host:port, such as localhost:8080; see --help");
  }
  return Resolve(line.arguments[0]);
}

// Shows progress on a terminal, and ends the run on SIGINT or SIGTERM, which
// must be blocked in every thread. A second signal stops waiting for answers.
class Console final : public LoadObserver {
 public:
  Console() {
    sigemptyset(&signals_);
    sigaddset(&signals_, SIGINT);
    sigaddset(&signals_, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
  }

  void OnConnecting(std::int64_t settled, std::int64_t wanted) override {
    Show(absl::StrCat("connecting: ", settled, " of ", wanted));
  }

  void OnMeasuring() override { Clear(); }

  void OnProgress(absl::Duration elapsed, const LoadCounts& counts,
                  std::int64_t open_connections) override {
    shown_ = absl::InfinitePast();
    Show(ProgressLine(elapsed, elapsed - elapsed_, before_, counts,
                      open_connections));
    before_ = counts;
    elapsed_ = elapsed;
  }

  void OnMeasured() override { Clear(); }

  bool Wait(absl::Duration time) override {
    const timespec limit = absl::ToTimespec(time);
    return sigtimedwait(&signals_, nullptr, &limit) < 0;
  }

  bool WaitForAnswers(absl::Duration time) override {
    Show("waiting for the last answers; a signal stops waiting");
    const bool go_on = Wait(time);
    if (!go_on) Clear();
    return go_on;
  }

 private:
  // At most once per second, and not within the first.
  void Show(const std::string& line) {
    const absl::Time now = absl::Now();
    if (!on_terminal_ || now - shown_ < absl::Seconds(1)) return;
    std::fprintf(stderr, "\r\033[K%s", line.c_str());
    shown_ = now;
    clear_ = false;
  }

  void Clear() {
    if (!clear_) std::fprintf(stderr, "\r\033[K");
    clear_ = true;
    shown_ = absl::Now();
  }

  const bool on_terminal_ = isatty(STDERR_FILENO) != 0;
  bool clear_ = true;
  absl::Time shown_ = absl::Now();
  sigset_t signals_;
  LoadCounts before_;
  absl::Duration elapsed_;
};

int Main(int argc, char** argv) {
  const absl::StatusOr<CommandLine> line = ParseCommandLine(
      argc, argv,
      {.name = "echoload",
       .summary = "generates load for a TCP echo server, verifies every byte "
                  "of the echo, and measures latency",
       .flags_file = "tests/load/echoload.cc",
       .arguments = "host:port",
       .notes =
           "The report counts requests, bytes and latencies of the measured "
           "part, and\nconnections, errors and unanswered requests of the "
           "whole run. Errors: connect\n(a connection was not established), "
           "reset, closed_early (an unexpected FIN),\nwrong_bytes, timeout."
           "\n\nExit status: 0, every byte came back; 1, some bytes did "
           "not; 2, echoload could not\nrun."});
  if (!line.ok()) return CannotRun(line.status());
  if (line->result == CommandLineResult::kAnswer) {
    std::fputs(line->answer.c_str(), stdout);
    return 0;
  }
  RaiseDescriptorLimit();
  const absl::StatusOr<std::vector<SocketAddress>> servers = ServersFrom(*line);
  if (!servers.ok()) return CannotRun(servers.status());
  absl::StatusOr<LoadOptions> options = OptionsFromFlags();
  if (!options.ok()) return CannotRun(options.status());
  const std::string hgrm = UserPath(absl::GetFlag(FLAGS_hgrm));
  // Checked before the run, which may be long. The old content remains until
  // there is new content.
  if (!hgrm.empty() && !std::ofstream(hgrm, std::ios::app)) {
    return CannotRun(absl::InvalidArgumentError(absl::StrCat(
        "flag --hgrm: cannot write ", hgrm, "; choose a writable path")));
  }

  Console console;
  const absl::StatusOr<LoadResult> result =
      RunLoadOnAny(*servers, *options, console);
  if (!result.ok()) return CannotRun(result.status());
  if (!hgrm.empty()) {
    std::ofstream file(hgrm);
    WriteHgrm(result->latencies, file);
    if (!file.flush()) {
      return CannotRun(absl::DataLossError(
          absl::StrCat("cannot write all of ", hgrm, "; is the disk full?")));
    }
  }
  const std::string report = absl::GetFlag(FLAGS_output) == Output::kJson
                                 ? JsonReport(*options, *result)
                                 : TextReport(*options, *result);
  std::fputs(report.c_str(), stdout);
  if (std::fflush(stdout) != 0) {
    return CannotRun(absl::DataLossError(absl::StrCat(
        "cannot write the report to standard output: ", strerror(errno))));
  }
  return result->EverythingCameBack() ? 0 : kExitNotAllCameBack;
}

}  // namespace
}  // namespace echod::load

int main(int argc, char** argv) { return echod::load::Main(argc, argv); }
