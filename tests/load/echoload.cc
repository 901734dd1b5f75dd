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
#include "tests/load/load_options.h"
#include "tests/load/load_run.h"
#include "tests/load/report.h"
#include "tests/load/resolve.h"

namespace echod::load {

enum class Output : std::uint8_t { kText, kJson };

// Found by absl through the types' namespace.
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
          "line sends lines and expects YOU SAID <line>, as of an echod with "
          "--mode=line; raw sends bytes and expects them back (RFC 862). "
          "Default: line.");
ABSL_FLAG(int, connections, 100, "Connections at a time. Default: 100.");
ABSL_FLAG(std::int64_t, size, 64,
          "Bytes of a request; in line mode the line's end is one of them. "
          "Default: 64.");
ABSL_FLAG(int, pipeline, 1,
          "The most requests that a connection has under way. Default: 1.");
ABSL_FLAG(int, in_flight, 0,
          "The most requests that all connections together have under way; "
          "they take turns. Default: 0, as many as their pipelines hold.");
ABSL_FLAG(int, threads, 1, "Threads that make the load. Default: 1.");
ABSL_FLAG(double, rate, 0,
          "Requests per second, of all connections together, each at its time "
          "whether the one before is answered or not; latency counts from that "
          "time, so a server that stalls cannot hide it. Default: 0, a closed "
          "loop: each answer brings the next request.");
ABSL_FLAG(absl::Duration, duration, absl::Seconds(10),
          "How long to measure, once all have connected. Default: 10s.");
ABSL_FLAG(absl::Duration, ramp, absl::ZeroDuration(),
          "Open the connections evenly over this time. Default: 0, as fast as "
          "they come about.");
ABSL_FLAG(absl::Duration, timeout, absl::Seconds(10),
          "How long a connection may take to come about, or an answer to go "
          "on. Default: 10s.");
ABSL_FLAG(std::int64_t, requests_per_connection, 0,
          "Close a connection after so many requests and open another; 1 is a "
          "new connection for every request. Default: 0, never.");
ABSL_FLAG(double, reconnect_rate, 0,
          "So many times a second one connection after the other is closed, "
          "once it has its answers, and another opened. Default: 0, never.");
ABSL_FLAG(echod::load::Output, output, echod::load::Output::kText,
          "text or json. Default: text.");
ABSL_FLAG(std::string, hgrm, "",
          "Write the latencies' distribution to this file, in the .hgrm format "
          "that HDR histogram plotters read. Default: none.");

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

// The server's addresses, of which the first that takes connections is meant.
absl::StatusOr<std::vector<SocketAddress>> ServersFrom(
    const CommandLine& line) {
  if (line.arguments.size() != 1) {
    return absl::InvalidArgumentError(
        "say which server, and only one, as host:port, such as "
        "localhost:8080; --help says more");
  }
  return Resolve(line.arguments[0]);
}

// Shows progress on a terminal, and ends the run on SIGINT or SIGTERM, which
// have to be blocked in every thread; a second one ends the waiting for
// answers.
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
    Show("waiting for the last answers; a signal ends that, too");
    const bool go_on = Wait(time);
    if (!go_on) Clear();
    return go_on;
  }

 private:
  // Once a second, and not before the first is over.
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
       .summary = "puts a load on a TCP echo server, checks every byte that "
                  "comes back, and measures how long it takes",
       .flags_file = "tests/load/echoload.cc",
       .arguments = "host:port",
       .notes =
           "Requests, bytes and latencies are those of the measured part; "
           "connections,\nerrors and unanswered requests those of the whole "
           "run. Errors: connect (a\nconnection did not come about), reset, "
           "closed_early (a FIN that nobody had\nasked for), wrong_bytes, "
           "timeout.\n\nExit status: 0, every byte came back; 1, not every "
           "byte did; 2, it could not run."});
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
  // Before the run, which may be long; but what is there stays until there is
  // something better.
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
    result->latencies.WriteHgrm(file);
    if (!file.flush()) {
      return CannotRun(absl::DataLossError(absl::StrCat(
          "cannot write all of ", hgrm, "; is there room for it?")));
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
