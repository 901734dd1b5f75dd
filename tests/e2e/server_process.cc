#include "tests/e2e/server_process.h"

#include <fcntl.h>
#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "echo/base/check.h"

namespace echod::e2e {
namespace {

using testing::TcpClient;

constexpr int kStartTimeoutMs = 60'000;

std::string Binary() {
  return absl::StrCat(std::getenv("TEST_SRCDIR"), "/",
                      std::getenv("TEST_WORKSPACE"), "/echo/daemon/echod");
}

// Forks and runs echod; `prepare` runs in the child, before exec.
pid_t Spawn(const std::vector<std::string>& flags,
            const std::function<void()>& prepare) {
  std::vector<std::string> words = {Binary()};
  words.insert(words.end(), flags.begin(), flags.end());
  std::vector<char*> argv;
  argv.reserve(words.size() + 1);
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  const pid_t pid = fork();
  ECHOD_CHECK(pid >= 0);
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prepare();
    execv(argv[0], argv.data());
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

google::protobuf::Struct ReadPortFile(const std::string& path) {
  google::protobuf::Struct json;
  ECHOD_CHECK(
      google::protobuf::util::JsonStringToMessage(ReadFile(path), &json).ok());
  return json;
}

std::string NewDirectory() {
  static std::atomic<int> next{0};
  std::string path = absl::StrCat(std::getenv("TEST_TMPDIR"), "/server-",
                                  getpid(), "-", next++);
  std::filesystem::create_directories(path);
  return path;
}

// The program's output goes to files: a pipe could fill up.
void RedirectTo(const std::string& path, int fd) {
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  dup2(file, fd);
}

// Lets every socket(AF_INET6, …) of this process fail from now on.
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

Finished RunEchod(const std::vector<std::string>& flags) {
  const std::string directory = NewDirectory();
  const pid_t pid = Spawn(flags, [&] {
    RedirectTo(directory + "/out", STDOUT_FILENO);
    RedirectTo(directory + "/err", STDERR_FILENO);
  });
  const UniqueFd pid_fd = OpenPidFd(pid);
  pollfd ended = {.fd = pid_fd.get(), .events = POLLIN};
  if (poll(&ended, 1, kStartTimeoutMs) != 1) kill(pid, SIGKILL);
  return {.exit_status = Reap(pid),
          .out = ReadFile(directory + "/out"),
          .err = ReadFile(directory + "/err")};
}

ServerProcess::ServerProcess(const Options& options) {
  const std::string directory = NewDirectory();
  port_file_ = directory + "/ports.json";
  const UniqueFd watch(inotify_init1(IN_CLOEXEC));
  ECHOD_CHECK(inotify_add_watch(watch.get(), directory.c_str(), IN_MOVED_TO) >=
              0);
  std::vector<std::string> flags = {"--listen=127.0.0.1:0",
                                    "--admin_address=127.0.0.1:0",
                                    absl::StrCat("--port_file=", port_file_)};
  flags.insert(flags.end(), options.flags.begin(), options.flags.end());
  pid_ = Spawn(flags, [&] {
    if (options.without_ipv6) TurnIpv6Off();
    if (options.descriptor_limit == 0) return;
    const rlimit limit = {.rlim_cur = options.descriptor_limit,
                          .rlim_max = options.descriptor_limit};
    setrlimit(RLIMIT_NOFILE, &limit);
  });
  pid_fd_ = OpenPidFd(pid_);
  // Put in place by a rename, the file is whole.
  pollfd waits[] = {{.fd = watch.get(), .events = POLLIN},
                    {.fd = pid_fd_.get(), .events = POLLIN}};
  ECHOD_CHECK(poll(waits, 2, kStartTimeoutMs) > 0);
  ECHOD_CHECK(waits[0].revents != 0);  // it did not end instead
  admin_address_ = ReadPortFile(port_file_).fields().at("admin").string_value();
}

ServerProcess::~ServerProcess() {
  if (pid_ < 0) return;
  kill(pid_, SIGKILL);
  Reap(pid_);
}

SocketAddress ServerProcess::echo_address() const {
  const google::protobuf::Struct json = ReadPortFile(port_file_);
  return *SocketAddress::Parse(json.fields()
                                   .at("listeners")
                                   .struct_value()
                                   .fields()
                                   .at("default")
                                   .string_value());
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
  // pid (comm) state … utime is the 14th word, stime the 15th.
  const std::string stat = ReadFile(absl::StrCat("/proc/", pid_, "/stat"));
  std::istringstream words(stat.substr(stat.rfind(')') + 2));
  std::string skipped;
  for (int i = 0; i < 11; ++i) words >> skipped;
  std::int64_t user = 0;
  std::int64_t system = 0;
  words >> user >> system;
  return absl::Seconds(user + system) / sysconf(_SC_CLK_TCK);
}

}  // namespace echod::e2e
