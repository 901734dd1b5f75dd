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

// A program that was run to its end.
struct Finished {
  int exit_status = -1;  // -1: it was killed by a signal, or had to be
  std::string out;
  std::string err;
};

// Runs a program of the workspace to its end, which must come soon. `in_child`
// is called in the new process before the program is.
Finished RunProgram(
    const std::string& program, const std::vector<std::string>& arguments,
    const std::function<void()>& in_child = [] {});
inline Finished RunEchod(
    const std::vector<std::string>& flags,
    const std::function<void()>& in_child = [] {}) {
  return RunProgram("echo/daemon/echod", flags, in_child);
}

// Adds `more` to `flags`, in place of those that `flags` has of the same names.
void SetFlags(std::vector<std::string>& flags,
              const std::vector<std::string>& more);

// Limits the calling process to so many descriptors, for good.
void LimitDescriptors(std::uint64_t most);

// The real echod, or another program that takes the same flags for its ports,
// as a process of its own. It listens on loopback ports that the kernel chose,
// and is killed with its parent if nothing else ends it.
class ServerProcess {
 public:
  struct Options {
    std::vector<std::string> flags;
    std::string program = "echo/daemon/echod";  // a path in the workspace
    std::vector<std::string> wrapper;    // words before it, such as a tracer's
    int cpu = -1;                        // the only one it may use; -1: any
    std::uint64_t descriptor_limit = 0;  // RLIMIT_NOFILE; 0: as it is
    bool without_ipv6 = false;           // as on a host where IPv6 is off
    bool may_fail = false;               // see started()
    std::function<void()> in_child = [] {};  // called before the program is
  };

  // Returns once everything accepts, or, where it may fail, the process ended.
  explicit ServerProcess(const Options& options);
  explicit ServerProcess(const std::vector<std::string>& flags = {})
      : ServerProcess(Options{.flags = flags}) {}
  ~ServerProcess();
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  // Whether it accepts; if not it has ended, as WaitForExit says.
  bool started() const { return started_; }
  pid_t pid() const { return pid_; }
  // From the port file, as it is now.
  SocketAddress echo_address() const;
  const std::string& admin_address() const { return admin_address_; }
  const std::string& port_file() const { return port_file_; }

  TcpClient Connect(const TcpClient::Options& options = {}) const;

  void Signal(int signal) const;

  // The exit status; -1 when it was killed, or did not end in time.
  int WaitForExit(absl::Duration timeout = absl::Seconds(30));

  // The resident memory at this moment.
  std::int64_t ResidentBytes() const;
  // CPU time used so far by the threads that it has now.
  absl::Duration CpuTime() const;

 private:
  const std::string directory_;  // deleted with it
  const std::string port_file_;
  std::string admin_address_;
  bool started_ = false;
  pid_t pid_ = -1;
  UniqueFd pid_fd_;
};

}  // namespace echod::testing

#endif  // TESTS_SUPPORT_SERVER_PROCESS_H_
