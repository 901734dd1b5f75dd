// SPDX-License-Identifier: Apache-2.0

#ifndef TESTS_SUPPORT_SERVER_PROCESS_H_
#define TESTS_SUPPORT_SERVER_PROCESS_H_

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "echo/base/socket_address.h"
#include "echo/base/unique_fd.h"
#include "tests/support/tcp_client.h"

namespace echod::testing {

// The result of a program that has exited.
struct Finished {
  int exit_status = -1;  // -1: killed by a signal or after a timeout
  std::string out;
  std::string err;
};

// Runs a program of the workspace and waits until it exits, for a limited time.
// `in_child` runs in the new process before the program.
Finished RunProgram(
    const std::string& program, const std::vector<std::string>& arguments,
    const std::function<void()>& in_child = [] {});
inline Finished RunEchod(
    const std::vector<std::string>& flags,
    const std::function<void()>& in_child = [] {}) {
  return RunProgram("echo/daemon/echod", flags, in_child);
}

// Adds `more` to `flags`, replacing flags with the same names.
void SetFlags(std::vector<std::string>& flags,
              const std::vector<std::string>& more);

// Limits the calling process to `most` descriptors, permanently.
void LimitDescriptors(std::uint64_t most);

// The real echod, or another program with the same flags for its ports, as a
// separate process. It listens on ephemeral loopback ports, and is killed with
// its parent at the latest.
class ServerProcess {
 public:
  struct Options {
    std::vector<std::string> flags;
    std::string program = "echo/daemon/echod";  // a path in the workspace
    std::vector<std::string>
        wrapper;   // a command to run it under, such as a tracer
    int cpu = -1;  // the only CPU to use; -1: any
    std::uint64_t descriptor_limit = 0;  // RLIMIT_NOFILE; 0: unchanged
    bool without_ipv6 = false;           // as on a host without IPv6
    bool may_fail = false;               // see started()
    bool with_listen = true;  // false: it listens where its --config says
    std::function<void()> in_child = [] {};  // runs before the program
  };

  // Returns when all ports accept or, with `may_fail`, the process has exited.
  explicit ServerProcess(const Options& options);
  explicit ServerProcess(const std::vector<std::string>& flags = {})
      : ServerProcess(Options{.flags = flags}) {}
  ~ServerProcess();
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  // Whether it accepts. If not, it has exited; see WaitForExit.
  bool started() const { return started_; }
  pid_t pid() const { return pid_; }
  // Read from the current port file.
  SocketAddress echo_address(const std::string& listener = "default") const;
  const std::string& admin_address() const { return admin_address_; }
  // Empty without --http_address.
  const std::string& http_address() const { return http_address_; }
  const std::string& port_file() const { return port_file_; }

  TcpClient Connect(const TcpClient::Options& options = {}) const;

  void Signal(int signal) const;

  // Returns the exit status; -1 if it was killed or did not exit in time.
  int WaitForExit(absl::Duration timeout = absl::Seconds(30));

  // The current resident memory.
  std::int64_t ResidentBytes() const;
  // CPU time used so far by its current threads.
  absl::Duration CpuTime() const;

 private:
  const std::string directory_;  // deleted by the destructor
  const std::string port_file_;
  std::string admin_address_;
  std::string http_address_;
  bool started_ = false;
  pid_t pid_ = -1;
  UniqueFd pid_fd_;
};

}  // namespace echod::testing

#endif  // TESTS_SUPPORT_SERVER_PROCESS_H_
