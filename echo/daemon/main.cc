// SPDX-License-Identifier: Apache-2.0

// The echo server. See `echod --help`.

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "admin/client/health_check.h"
#include "echo/base/command_line.h"
#include "echo/base/descriptor_limit.h"
#include "echo/base/logging.h"
#include "echo/base/standard_streams.h"
#include "echo/daemon/build_stamp.h"
#include "echo/daemon/build_version.h"
#include "echo/daemon/config_loader.h"
#include "echo/daemon/daemon.h"
#include "echo/daemon/flags.h"
#include "echo/daemon/inherited_sockets.h"
#include "echo/daemon/library_logs.h"
#include "echo/daemon/process_end.h"
#include "echo/event/event_loop.h"
#include "echo/net/listen_socket.h"
#include "echo/server/access_log.h"

namespace echod {
namespace {

// The exit status if echod cannot start: a bad flag, a port in use, no
// resources.
constexpr int kExitCannotRun = 2;

// How long to wait for standard error to accept the last lines of the log.
constexpr absl::Duration kLogFlushPatience = absl::Seconds(1);

// Writes the reason; the exit status.
int CannotRun(const absl::Status& status) {
  WriteErrorLine(absl::StrCat("echod: ", status.message()));
  return kExitCannotRun;
}

// The same for the mistakes that ConfigLoader has found, one in a line.
int CannotRunWith(const absl::Status& mistakes) {
  for (const absl::string_view line :
       absl::StrSplit(mistakes.message(), '\n')) {
    WriteErrorLine(absl::StrCat("echod: ", line));
  }
  return kExitCannotRun;
}

// Prints the answer to the command line; the exit status.
int Print(const std::string& answer) {
  if (std::fputs(answer.c_str(), stdout) < 0 || std::fflush(stdout) != 0) {
    return CannotRun(absl::UnavailableError(absl::StrCat(
        "cannot write to standard output: ", std::strerror(errno))));
  }
  return 0;
}

// Raises the soft limit of descriptors, usually 1,024, since each connection
// takes one. An error if there are too few even to run, because the limit is
// low or many were inherited: in that case libraries report nothing useful, or
// abort.
absl::Status PrepareDescriptors(int workers, bool http) {
  constexpr int kForWorker = 6;
  constexpr int kForHttp = 7;
  constexpr int kForTheRest = 32;  // the streams and signals have theirs
  RaiseDescriptorLimit();
  return CheckDescriptors(
      kForTheRest + kForWorker * workers + (http ? kForHttp : 0),
      absl::StrCat(workers, workers == 1 ? " worker" : " workers",
                   " (--workers) and the rest"));
}

// Asks another echod for its health, and says what it answers; the exit status.
int CheckHealth(const DaemonConfig& config) {
  constexpr int kExitServing = 0;
  constexpr int kExitNotServing = 1;
  constexpr int kForGrpc = 32;
  absl::Status enough = CheckDescriptors(kForGrpc, "--check_health");
  if (!enough.ok()) return CannotRun(enough);
  const absl::StatusOr<bool> serving =
      AskHealth({.address = *config.check_health,
                 .service = config.check_health_service});
  if (!serving.ok()) return CannotRun(serving.status());
  const int printed = Print(*serving ? "SERVING\n" : "NOT_SERVING\n");
  if (printed != 0) return printed;
  return *serving ? kExitServing : kExitNotServing;
}

int Main(int argc, char** argv) {
  const absl::Status noted = EndRequests::Note();
  // They have no meaning here, and by default they would kill the process.
  std::signal(SIGUSR1, SIG_IGN);
  std::signal(SIGUSR2, SIG_IGN);
  // A write to a closed peer or to a file at its size limit is to fail, not to
  // kill the process.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  if (absl::Status started = StartLog(); !started.ok()) {
    return CannotRun(started);
  }
  if (!noted.ok()) return CannotRun(noted);
  SendLibraryLogsToLog();
  auto loader = std::make_unique<ConfigLoader>();
  ProgramSpec spec = loader->spec();
  spec.version = VersionText(kBuildStamp);
  const absl::StatusOr<CommandLine> line = ParseCommandLine(argc, argv, spec);
  if (!line.ok()) return CannotRun(line.status());
  if (line->result == CommandLineResult::kAnswer) return Print(line->answer);
  loader->SetCommandLine(*line);
  absl::StatusOr<DaemonConfig> config = loader->Load();
  if (!config.ok()) return CannotRunWith(config.status());
  if (config->check_config) {
    return Print(absl::StrCat(config->config_file, " is valid\n"));
  }
  if (config->check_health.has_value()) return CheckHealth(*config);
  config->version = BuildVersion(kBuildStamp);
  SetLogLevel(config->log_level);
  absl::StatusOr<std::map<std::string, ListenSocket>> inherited =
      TakeInheritedSockets();
  if (!inherited.ok()) return CannotRun(inherited.status());
  AddInherited(*inherited, *config);
  if (absl::Status enough = PrepareDescriptors(config->worker_count,
                                               !config->http_address.empty());
      !enough.ok()) {
    return CannotRun(enough);
  }

  absl::StatusOr<std::unique_ptr<EventLoop>> loop = EventLoop::Create();
  if (!loop.ok()) return CannotRun(loop.status());
  std::shared_ptr<AccessLog> access_log;
  if (!config->access_log.empty()) {
    auto opened = AccessLog::Start(
        {.path = config->access_log, .opened = config->access_log_opened});
    if (!opened.ok()) {
      return CannotRun(absl::Status(
          opened.status().code(),
          absl::StrCat("flag --access_log: ", opened.status().message())));
    }
    access_log = *std::move(opened);
  }
  Daemon daemon(*std::move(config), std::move(loader), *std::move(inherited),
                *std::move(loop), std::move(access_log));
  if (absl::Status started = daemon.Start(); !started.ok()) {
    return CannotRun(started);
  }
  return daemon.Run();
}

}  // namespace
}  // namespace echod

// Runs before the constructors of libraries: gRPC's opens an eventfd.
[[gnu::section(".preinit_array"),
  gnu::used]] static void (*const open_standard_streams)() =
    &echod::OpenStandardStreams;

int main(int argc, char** argv) {
  const int status = echod::Main(argc, argv);
  echod::FlushLog(echod::kLogFlushPatience);
  return status;
}
