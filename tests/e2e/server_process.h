#ifndef TESTS_E2E_SERVER_PROCESS_H_
#define TESTS_E2E_SERVER_PROCESS_H_

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "echo/base/socket_address.h"
#include "echo/base/unique_fd.h"
#include "tests/support/tcp_client.h"

namespace echod::e2e {

// A program that was run to its end.
struct Finished {
  int exit_status = -1;  // -1: it was killed by a signal, or had to be
  std::string out;
  std::string err;
};

// Runs the real echod with `flags` to its end, which must come soon.
Finished RunEchod(const std::vector<std::string>& flags);

// The real echod as a process of its own. It listens on loopback ports that the
// kernel chose, and is killed with the test if nothing else ends it.
class ServerProcess {
 public:
  struct Options {
    std::vector<std::string> flags;
    std::uint64_t descriptor_limit = 0;  // RLIMIT_NOFILE; 0: as it is
    bool without_ipv6 = false;           // as on a host where IPv6 is off
  };

  // Returns once everything accepts.
  explicit ServerProcess(const Options& options);
  explicit ServerProcess(const std::vector<std::string>& flags = {})
      : ServerProcess(Options{.flags = flags}) {}
  ~ServerProcess();
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  pid_t pid() const { return pid_; }
  // From the port file, as it is now.
  SocketAddress echo_address() const;
  const std::string& admin_address() const { return admin_address_; }
  const std::string& port_file() const { return port_file_; }

  testing::TcpClient Connect(
      const testing::TcpClient::Options& options = {}) const;

  void Signal(int signal) const;

  // The exit status; -1 when it was killed, or did not end in time.
  int WaitForExit(absl::Duration timeout = absl::Seconds(30));

  // The resident memory at this moment.
  std::int64_t ResidentBytes() const;
  // CPU time used so far.
  absl::Duration CpuTime() const;

 private:
  std::string port_file_;
  std::string admin_address_;
  pid_t pid_ = -1;
  UniqueFd pid_fd_;
};

}  // namespace echod::e2e

#endif  // TESTS_E2E_SERVER_PROCESS_H_
