// SPDX-License-Identifier: Apache-2.0

// The reference servers of the bench. Accepts echod's flags for addresses, so
// that it can be started in the same way.

#include <cstdio>
#include <string>

#include "absl/flags/flag.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "echo/base/command_line.h"
#include "echo/base/socket_address.h"
#include "echo/base/unique_fd.h"
#include "echo/daemon/port_file.h"
#include "echo/net/listen_socket.h"
#include "tests/bench/epoll_server.h"
#include "tests/bench/tutorial_server.h"

ABSL_FLAG(std::string, listen, "127.0.0.1:0", "Where to accept clients.");
ABSL_FLAG(std::string, admin_address, "", "Taken, and not used.");
ABSL_FLAG(std::string, port_file, "", "Where to write the bound address.");
ABSL_FLAG(std::string, kind, "epoll", "epoll or tutorial.");
ABSL_FLAG(std::string, mode, "raw", "line or raw.");
ABSL_FLAG(int, workers, 1, "Threads; epoll only.");

namespace echod::bench {
namespace {

absl::Status Serve() {
  const absl::StatusOr<SocketAddress> address =
      SocketAddress::Parse(absl::GetFlag(FLAGS_listen));
  if (!address.ok()) return address.status();
  absl::StatusOr<ListenSocket> socket = OpenListenSocket(*address, 4096);
  if (!socket.ok()) return socket.status();
  absl::Status written = WritePortFile(
      absl::GetFlag(FLAGS_port_file),
      {.listeners = {{"default", socket->address.ToString()}}, .admin = ""});
  if (!written.ok()) return written;
  const bool line = absl::GetFlag(FLAGS_mode) == "line";
  if (absl::GetFlag(FLAGS_kind) == "tutorial") {
    RunTutorialServer(socket->fd.get(), line);
  }
  RunEpollServer(socket->fd.get(), line, absl::GetFlag(FLAGS_workers));
}

int Main(int argc, char** argv) {
  absl::Status status =
      ParseCommandLine(argc, argv,
                       {.name = "reference_server",
                        .summary = "an echo server to compare with",
                        .flags_file = "tests/bench/reference_server.cc",
                        .arguments = ""})
          .status();
  if (status.ok()) status = Serve();
  std::fprintf(stderr, "reference_server: %s\n",
               std::string(status.message()).c_str());
  return 2;
}

}  // namespace
}  // namespace echod::bench

int main(int argc, char** argv) { return echod::bench::Main(argc, argv); }
