// SPDX-License-Identifier: Apache-2.0

#include "tests/support/server_process.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "echo/base/check.h"

namespace echod::testing {
namespace {

constexpr int kStartTimeoutMs = 60'000;

// Bazel tells tests where the workspace is; `bazel run` starts in it.
std::string InWorkspace(const std::string& path) {
  const char* const sources = std::getenv("TEST_SRCDIR");
  if (sources == nullptr) return path;
  return absl::StrCat(sources, "/", std::getenv("TEST_WORKSPACE"), "/", path);
}

// Forks and runs a program; `prepare` runs in the child, before exec.
pid_t Spawn(std::vector<std::string> words,
            const std::function<void()>& prepare) {
  std::vector<char*> argv;
  argv.reserve(words.size() + 1);
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  const pid_t pid = fork();
  ECHOD_CHECK(pid >= 0);
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prepare();
    execvp(argv[0], argv.data());
    _exit(127);
  }
  return pid;
}

UniqueFd OpenPidFd(pid_t pid) {
  return UniqueFd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
}

int Reap(pid_t pid) {
  int status = 0;
  ECHOD_CHECK(waitpid(pid, &status, 0) == pid);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

std::string ReadFile(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

nlohmann::json ReadPortFile(const std::string& path) {
  return nlohmann::json::parse(ReadFile(path));
}

std::string NewDirectory() {
  static std::atomic<int> next{0};
  const char* const given = std::getenv("TEST_TMPDIR");
  std::string path = absl::StrCat(
      given != nullptr ? given
                       : std::filesystem::temp_directory_path().string(),
      "/server-", getpid(), "-", next++);
  std::filesystem::create_directories(path);
  return path;
}

// Files for the program's output, because a pipe could fill up.
void RedirectTo(const std::string& path, int fd) {
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  dup2(file, fd);
}

// Makes every socket(AF_INET6, …) of this process fail from now on.
void TurnIpv6Off() {
  sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_INET6, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EAFNOSUPPORT),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program = {.len = sizeof code / sizeof code[0],
                              .filter = code};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) _exit(126);
}

}  // namespace

void SetFlags(std::vector<std::string>& flags,
              const std::vector<std::string>& more) {
  for (const std::string& flag : more) {
    const std::size_t equals = flag.find('=');
    const std::string name =
        equals == std::string::npos ? flag : flag.substr(0, equals + 1);
    flags.erase(std::remove_if(flags.begin(), flags.end(),
                               [&](const std::string& other) {
                                 return absl::StartsWith(other, name);
                               }),
                flags.end());
    flags.push_back(flag);
  }
}

void LimitDescriptors(std::uint64_t most) {
  const rlimit limit = {.rlim_cur = most, .rlim_max = most};
  setrlimit(RLIMIT_NOFILE, &limit);
}

Finished RunProgram(const std::string& program,
                    const std::vector<std::string>& arguments,
                    const std::function<void()>& in_child) {
  const std::string directory = NewDirectory();
  std::vector<std::string> words = {InWorkspace(program)};
  words.insert(words.end(), arguments.begin(), arguments.end());
  const pid_t pid = Spawn(words, [&] {
    RedirectTo(directory + "/out", STDOUT_FILENO);
    RedirectTo(directory + "/err", STDERR_FILENO);
    in_child();
  });
  const UniqueFd pid_fd = OpenPidFd(pid);
  pollfd ended = {.fd = pid_fd.get(), .events = POLLIN};
  if (poll(&ended, 1, kStartTimeoutMs) != 1) kill(pid, SIGKILL);
  return {.exit_status = Reap(pid),
          .out = ReadFile(directory + "/out"),
          .err = ReadFile(directory + "/err")};
}

ServerProcess::ServerProcess(const Options& options)
    : directory_(NewDirectory()), port_file_(directory_ + "/ports.json") {
  const UniqueFd watch(inotify_init1(IN_CLOEXEC));
  ECHOD_CHECK(inotify_add_watch(watch.get(), directory_.c_str(), IN_MOVED_TO) >=
              0);
  std::vector<std::string> words = options.wrapper;
  words.push_back(InWorkspace(options.program));
  std::vector<std::string> flags = {"--admin_address=127.0.0.1:0",
                                    absl::StrCat("--port_file=", port_file_)};
  if (options.with_listen) flags.emplace_back("--listen=127.0.0.1:0");
  SetFlags(flags, options.flags);
  words.insert(words.end(), flags.begin(), flags.end());
  pid_ = Spawn(words, [&] {
    if (options.cpu >= 0) {
      cpu_set_t cpus;
      CPU_ZERO(&cpus);
      CPU_SET(options.cpu, &cpus);
      sched_setaffinity(0, sizeof cpus, &cpus);
    }
    if (options.without_ipv6) TurnIpv6Off();
    if (options.descriptor_limit > 0)
      LimitDescriptors(options.descriptor_limit);
    options.in_child();
  });
  pid_fd_ = OpenPidFd(pid_);
  // A rename puts the file in place, so it is complete.
  pollfd waits[] = {{.fd = watch.get(), .events = POLLIN},
                    {.fd = pid_fd_.get(), .events = POLLIN}};
  ECHOD_CHECK(poll(waits, 2, kStartTimeoutMs) > 0);
  started_ = waits[0].revents != 0;
  ECHOD_CHECK(started_ || options.may_fail);
  if (started_) {
    const nlohmann::json ports = ReadPortFile(port_file_);
    admin_address_ = ports["admin"];
    http_address_ = ports.value("http", "");
  }
}

ServerProcess::~ServerProcess() {
  if (pid_ >= 0) {
    kill(pid_, SIGKILL);
    Reap(pid_);
  }
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

SocketAddress ServerProcess::echo_address(const std::string& listener) const {
  const std::string address = ReadPortFile(port_file_)["listeners"][listener];
  return *SocketAddress::Parse(address);
}

TcpClient ServerProcess::Connect(const TcpClient::Options& options) const {
  std::optional<TcpClient> client = TcpClient::Connect(echo_address(), options);
  ECHOD_CHECK(client.has_value());
  return *std::move(client);
}

void ServerProcess::Signal(int signal) const { kill(pid_, signal); }

int ServerProcess::WaitForExit(absl::Duration timeout) {
  pollfd ended = {.fd = pid_fd_.get(), .events = POLLIN};
  if (poll(&ended, 1, static_cast<int>(absl::ToInt64Milliseconds(timeout))) !=
      1) {
    return -1;
  }
  return Reap(std::exchange(pid_, -1));
}

std::int64_t ServerProcess::ResidentBytes() const {
  std::istringstream file(ReadFile(absl::StrCat("/proc/", pid_, "/statm")));
  std::int64_t pages = 0;
  file >> pages >> pages;
  return pages * sysconf(_SC_PAGESIZE);
}

absl::Duration ServerProcess::CpuTime() const {
  std::int64_t nanoseconds = 0;
  for (const auto& task : std::filesystem::directory_iterator(
           absl::StrCat("/proc/", pid_, "/task"))) {
    std::istringstream schedstat(ReadFile(task.path() / "schedstat"));
    std::int64_t on_cpu = 0;
    schedstat >> on_cpu;
    nanoseconds += on_cpu;
  }
  return absl::Nanoseconds(nanoseconds);
}

}  // namespace echod::testing
