// SPDX-License-Identifier: Apache-2.0

// Measures echod against reference servers, in ratios: see docs/performance.md.

#include <sched.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "echo/base/command_line.h"
#include "echo/base/descriptor_limit.h"
#include "tests/bench/measure.h"
#include "tests/bench/operators_report.h"
#include "tests/load/load_options.h"
#include "tests/support/server_process.h"

ABSL_FLAG(int, rounds, 7,
          "The number of rounds for each pair of servers. Default: 7.");
ABSL_FLAG(absl::Duration, duration, absl::Seconds(2),
          "The time under load per server and round, divided into several "
          "turns. Default: 2s.");
ABSL_FLAG(
    std::string, only, "",
    "Measure only the cases whose names contain this text. Default: all.");
ABSL_FLAG(std::string, sections,
          "speed,tutorial,neighbours,memory,operators,features",
          "What to measure, separated by commas: speed (against bare epoll), "
          "tutorial (the tutorial's server against bare epoll), neighbours "
          "(latency beside connections that stream or never read), memory (of "
          "idle connections), operators (what busy clients of the admin API "
          "cost), features (their cost in system calls and "
          "instructions, counted with strace and valgrind, and in CPU time). "
          "Default: all of them.");

ABSL_FLAG(std::string, baseline, "",
          "The absolute path of another build of echod to compare the speed "
          "with. Default: a bare epoll loop.");

namespace echod::bench {
namespace {

using load::LoadOptions;
using load::Mode;

struct Case {
  std::string name;
  LoadOptions load;
  int workers = 1;
  double target = 0;  // minimum of the reference's CPU time over echod's
};

std::vector<Case> Cases() {
  std::vector<Case> cases;
  for (const auto& [connections, target] :
       {std::pair(1, 0.97), {100, 0.97}, {1'000, 0.95}, {10'000, 0.97}}) {
    LoadOptions load;
    load.mode = Mode::kRaw;
    load.connections = connections;
    cases.push_back({.name = absl::StrFormat("raw, %d x 64 B", connections),
                     .load = load,
                     .target = target});
  }
  LoadOptions stream;
  stream.mode = Mode::kRaw;
  stream.request_bytes = 64 * 1024;
  stream.pipeline = 4;
  cases.push_back(
      {.name = "raw, 100 x 64 KiB stream", .load = stream, .target = 1.00});
  LoadOptions lines;
  lines.mode = Mode::kLine;
  lines.pipeline = 16;
  cases.push_back(
      {.name = "line, 100 x 16 lines of 64 B", .load = lines, .target = 0.97});
  LoadOptions churn;
  churn.mode = Mode::kRaw;
  churn.requests_per_connection = 1;
  cases.push_back({.name = "raw, a connection for each request",
                   .load = churn,
                   .target = 0.95});
  LoadOptions two;
  two.mode = Mode::kRaw;
  cases.push_back({.name = "raw, 100 x 64 B, two workers",
                   .load = two,
                   .workers = 2,
                   .target = 0.95});
  return cases;
}

// Runs the server on one CPU and the load on another. With several workers, or
// on a single CPU, the kernel places them.
void Place(Subject& subject, int workers) {
  const unsigned cpus = std::thread::hardware_concurrency();
  cpu_set_t set;
  CPU_ZERO(&set);
  if (workers > 1 || cpus < 2) {
    for (unsigned i = 0; i < cpus; ++i) CPU_SET(i, &set);
  } else {
    subject.cpu = 0;
    CPU_SET(1, &set);
  }
  sched_setaffinity(0, sizeof set, &set);
}

struct Series {
  std::vector<double> cpu;       // reference's over subject's, per round
  std::vector<double> rate;      // subject's over reference's
  std::vector<double> micros;    // the subject's CPU time per request
  std::vector<double> load_cpu;  // the load's CPU time over the subject's
};

Series Compare(Subject subject, Subject reference, const Case& each,
               int rounds) {
  Series series;
  LoadOptions load = each.load;
  load.duration = absl::GetFlag(FLAGS_duration);
  Place(subject, each.workers);
  Place(reference, each.workers);
  // Connecting thousands of clients takes longer than a turn.
  const int turns = load.connections > 1000 ? 1 : 4;
  for (int round = 0; round < rounds; ++round) {
    // The order alternates between rounds.
    const bool swapped = round % 2 == 1;
    auto [ours, theirs] =
        MeasureByTurns(swapped ? reference : subject,
                       swapped ? subject : reference, load, turns);
    if (swapped) std::swap(ours, theirs);
    series.cpu.push_back(theirs.server_cpu_per_request /
                         ours.server_cpu_per_request);
    series.rate.push_back(ours.requests_per_second /
                          theirs.requests_per_second);
    series.micros.push_back(ours.server_cpu_per_request * 1e6);
    series.load_cpu.push_back(ours.load_cpu_per_request /
                              ours.server_cpu_per_request);
  }
  return series;
}

bool Wanted(absl::string_view section) {
  for (const absl::string_view each :
       absl::StrSplit(absl::GetFlag(FLAGS_sections), ',')) {
    if (each == section) return true;
  }
  return false;
}

bool Wanted(const Case& each) {
  return each.name.find(absl::GetFlag(FLAGS_only)) != std::string::npos;
}

void Print(const std::string& line) {
  std::fputs(line.c_str(), stdout);
  std::fflush(stdout);
}

// It has one thread, and loses bytes when many connections open and close.
bool TutorialCanDo(const Case& each) {
  return each.workers == 1 && each.load.connections <= 1000 &&
         each.load.requests_per_connection == 0;
}

void CompareSpeed(const std::string& title, bool tutorial) {
  Print(absl::StrFormat(
      "\n%s\n\n| case | CPU | requests/s | CPU per request | load's CPU | "
      "target |\n|---|---|---|---|---|---|\n",
      title));
  for (const Case& each : Cases()) {
    if (!Wanted(each) || (tutorial && !TutorialCanDo(each))) continue;
    const Mode mode = each.load.mode;
    Subject reference = Reference("epoll", mode, each.workers);
    if (const std::string baseline = absl::GetFlag(FLAGS_baseline);
        !baseline.empty()) {
      reference = Echod(mode, each.workers);
      reference.program = baseline;
    }
    // Fewer rounds suffice for the tutorial's server.
    const int rounds = absl::GetFlag(FLAGS_rounds);
    const Series series = Compare(
        tutorial ? Reference("tutorial", mode, 1) : Echod(mode, each.workers),
        reference, each, tutorial ? std::min(rounds, 3) : rounds);
    Print(
        absl::StrFormat("| %s | %s | %s | %.2f us | %.2f | %s |\n", each.name,
                        Spread(series.cpu), Spread(series.rate),
                        Median(series.micros), Median(series.load_cpu),
                        tutorial ? "" : absl::StrFormat("%.2f", each.target)));
  }
}

void ShowNeighbours() {
  constexpr int kLimit = 256 * 1024;
  Print(absl::StrFormat(
      "\n99th percentile of latency, in us, of 100 connections with 5,000 "
      "requests per second\nin total, on one worker, and resident bytes per "
      "connection that never reads;\nechod's limit is %d\n\n"
      "| server | alone | beside one endless stream | beside 1,000 that never "
      "read | bytes |\n|---|---|---|---|---|\n",
      kLimit));
  struct Row {
    std::string name;
    Subject subject;
    std::vector<double> alone;
    std::vector<double> stream;
    std::vector<double> stuck;
    std::vector<double> bytes;
  };
  Row ours = {.name = "echod", .subject = Echod(Mode::kRaw, 1)};
  ours.subject.flags.push_back(
      absl::StrFormat("--max_buffered_bytes=%d", kLimit));
  Row theirs = {.name = "epoll", .subject = Reference("epoll", Mode::kRaw, 1)};
  const int rounds = std::min(absl::GetFlag(FLAGS_rounds), 5);
  for (int round = 0; round < rounds; ++round) {
    for (Row* const row : {&ours, &theirs}) {
      Place(row->subject, 1);
      const Neighbours neighbours = MeasureNeighbours(row->subject);
      row->alone.push_back(neighbours.alone * 1e6);
      row->stream.push_back(neighbours.beside_a_stream * 1e6);
      row->stuck.push_back(neighbours.beside_the_stuck * 1e6);
      row->bytes.push_back(neighbours.stuck_bytes);
    }
  }
  for (const Row& row : {ours, theirs}) {
    Print(absl::StrFormat("| %s | %s | %s | %s | %.0f |\n", row.name,
                          Spread(row.alone, 0), Spread(row.stream, 0),
                          Spread(row.stuck, 0), Median(row.bytes)));
  }
}

void ShowMemory() {
  constexpr int kConnections = 19'000;
  Print(absl::StrFormat(
      "\nResident bytes per idle connection, of %d\n\n| server | raw | "
      "line |\n|---|---|---|\n",
      kConnections));
  for (const bool ours : {true, false}) {
    std::vector<double> bytes;
    for (const Mode mode : {Mode::kRaw, Mode::kLine}) {
      bytes.push_back(
          MeasureMemory(ours ? Echod(mode, 1) : Reference("epoll", mode, 1),
                        mode, kConnections));
    }
    Print(absl::StrFormat("| %s | %.0f | %.0f |\n", ours ? "echod" : "epoll",
                          bytes[0], bytes[1]));
  }
}

// Appends `seconds` to `milliseconds`.
std::string OrUnknown(double value, int digits) {
  return value < 0 ? "not counted" : absl::StrFormat("%.*f", digits, value);
}

void ShowFeatures() {
  Print(
      "\nCost of features: system calls and user-mode instructions per "
      "request, and\nthe CPU time of echod with all features, divided by that "
      "server's\n\n"
      "| case | server | system calls | instructions | CPU |\n"
      "|---|---|---|---|---|\n");
  // The features to disable; all others are enabled.
  struct Variant {
    std::string name;
    std::vector<std::string> flags;
  };
  const std::vector<Variant> variants = {
      {"echod", {}},
      {"echod, without its timers",
       {"--idle_timeout=0", "--max_connection_age=0",
        "--write_stall_timeout=0"}},
      {"echod, without its limits",
       {"--max_connections=0", "--max_connections_per_address=0",
        "--max_total_connections=0"}},
  };
  for (const Case& each : Cases()) {
    // A single connection makes too few requests under valgrind, and more than
    // a hundred do not change the result.
    if (!Wanted(each) || each.workers > 1 || each.load.connections != 100) {
      continue;
    }
    const Subject whole = Echod(each.load.mode, 1);
    LoadOptions load = each.load;
    load.duration = absl::Seconds(1);
    const auto row = [&](const std::string& name, Subject subject) {
      Place(subject, each.workers);
      const double calls = CountSystemCalls(subject, load);
      const double instructions = CountInstructions(subject, load);
      // The reference is measured in another section.
      const bool compared =
          subject.program == whole.program && subject.flags != whole.flags;
      const int rounds =
          compared ? std::min(absl::GetFlag(FLAGS_rounds), 3) : 0;
      const Series series = Compare(subject, whole, each, rounds);
      Print(absl::StrFormat("| %s | %s | %s | %s | %s |\n", each.name, name,
                            OrUnknown(calls, 2), OrUnknown(instructions, 0),
                            compared ? Spread(series.cpu) : ""));
    };
    row("epoll", Reference("epoll", each.load.mode, 1));
    for (const Variant& variant : variants) {
      Subject subject = whole;
      testing::SetFlags(subject.flags, variant.flags);
      row(variant.name, std::move(subject));
    }
  }
}

int Main(int argc, char** argv) {
  const absl::StatusOr<CommandLine> line =
      ParseCommandLine(argc, argv,
                       {.name = "bench",
                        .summary = "measures echod against reference servers",
                        .flags_file = "tests/bench/bench.cc",
                        .arguments = ""});
  if (!line.ok()) {
    std::fprintf(stderr, "bench: %s\n",
                 std::string(line.status().message()).c_str());
    return 2;
  }
  if (line->result == CommandLineResult::kAnswer) {
    Print(line->answer);
    return 0;
  }
  RaiseDescriptorLimit();

  Print(
      "Each figure is the median of the rounds, with minimum and maximum.\n"
      "CPU: CPU time per request of the reference server, divided by echod's; "
      "above 1,\nechod is cheaper. requests/s: echod's divided by the "
      "reference's. load's CPU: the\nload generator's CPU time per request, "
      "divided by the server's.\n");
  if (Wanted("speed")) {
    CompareSpeed(absl::GetFlag(FLAGS_baseline).empty()
                     ? "echod against a bare epoll loop"
                     : "echod against " + absl::GetFlag(FLAGS_baseline),
                 false);
  }
  if (Wanted("tutorial")) {
    CompareSpeed("The tutorial's bufferevent against a bare epoll loop", true);
  }
  if (Wanted("neighbours")) ShowNeighbours();
  if (Wanted("memory")) ShowMemory();
  if (Wanted("operators")) {
    Subject subject = Echod(Mode::kRaw, 1);
    Place(subject, 1);
    Print(OperatorsReport(subject, absl::GetFlag(FLAGS_rounds)));
  }
  if (Wanted("features")) ShowFeatures();
  return 0;
}

}  // namespace
}  // namespace echod::bench

int main(int argc, char** argv) { return echod::bench::Main(argc, argv); }
