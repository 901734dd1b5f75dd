// SPDX-License-Identifier: Apache-2.0

// Startup, failure to start, and --help.

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "echo/base/socket_address.h"
#include "gtest/gtest.h"
#include "tests/support/server_process.h"
#include "tests/support/tcp_client.h"

namespace echod::e2e {
namespace {

using testing::Finished;
using testing::RunEchod;
using testing::ServerProcess;
using testing::TcpClient;

int Lines(const std::string& text) {
  return static_cast<int>(std::count(text.begin(), text.end(), '\n'));
}

// Sends itself a signal that is still pending when the program starts.
void PendingSignal(int signal) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, signal);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  raise(signal);
}

class CannotStartTest : public ::testing::TestWithParam<
                            std::pair<std::vector<std::string>, std::string>> {
};

TEST_P(CannotStartTest, SaysInOneLineWhatToDo) {
  const auto& [flags, named] = GetParam();
  const Finished finished = RunEchod(flags);
  EXPECT_EQ(finished.exit_status, 2);
  EXPECT_EQ(finished.out, "");
  EXPECT_EQ(finished.err.rfind("echod: ", 0), 0u) << finished.err;
  EXPECT_EQ(Lines(finished.err), 1) << finished.err;
  EXPECT_NE(finished.err.find(named), std::string::npos) << finished.err;
}

using Case = std::pair<std::vector<std::string>, std::string>;
INSTANTIATE_TEST_SUITE_P(
    BadFlags, CannotStartTest,
    ::testing::Values(
        Case{{"--lisen=[::]:0"}, "--listen"}, Case{{"surplus"}, "surplus"},
        Case{{"--listen"}, "--listen"}, Case{{"--listen=8080"}, "--listen"},
        Case{{"--listen=example.com:80"}, "--listen"},
        Case{{"--listen=:0", "--listen=:0"}, "--listen"},
        Case{{"--listen=a=:0", "--listen=a=:0"}, "--listen"},
        Case{{"--listen=[::]:65536"}, "--listen"},
        Case{{"--listen=224.0.0.1:0"}, "--listen"},
        Case{{"--mode=loud"}, "--mode"}, Case{{"--backlog=0"}, "--backlog"},
        Case{{"--workers=-1"}, "--workers"},
        Case{{"--workers=two"}, "--workers"},
        Case{{"--max_connections=-1"}, "--max_connections"},
        Case{{"--max_connections_per_address=-1"},
             "--max_connections_per_address"},
        Case{{"--max_total_connections=-1"}, "--max_total_connections"},
        Case{{"--max_connection_age=-1s"}, "--max_connection_age"},
        Case{{"--write_stall_timeout=1"}, "--write_stall_timeout"},
        Case{{"--max_line_bytes=0"}, "--max_line_bytes"},
        Case{{"--max_buffered_bytes=0"}, "--max_buffered_bytes"},
        Case{{"--idle_timeout=5"}, "--idle_timeout"},
        Case{{"--idle_timeout=-5s"}, "--idle_timeout"},
        Case{{"--drain_timeout=-1s"}, "--drain_timeout"},
        Case{{"--drain_grace_period=-1s"}, "--drain_grace_period"},
        Case{{"--admin_address=9901"}, "--admin_address"},
        Case{{"--http_address=9902"}, "--http_address"},
        Case{{"--log_level=loud"}, "--log_level"}));

INSTANTIATE_TEST_SUITE_P(
    Environment, CannotStartTest,
    ::testing::Values(
        Case{{"--listen=192.0.2.1:0"}, "--listen"},
        Case{{"--listen=127.0.0.1:0", "--admin_address=192.0.2.1:0"},
             "--admin_address"},
        Case{{"--listen=127.0.0.1:0", "--admin_address=127.0.0.1:0",
              "--http_address=192.0.2.1:0"},
             "--http_address"},
        Case{{"--listen=127.0.0.1:0", "--admin_address=127.0.0.1:0",
              "--port_file=/nowhere/ports.json"},
             "--port_file"}));

TEST(StartupTest, ATakenPortIsAnError) {
  const ServerProcess server;
  const std::string taken = server.echo_address().ToString();
  const Finished echo = RunEchod(
      {absl::StrCat("--listen=", taken), "--admin_address=127.0.0.1:0"});
  EXPECT_EQ(echo.exit_status, 2);
  EXPECT_EQ(Lines(echo.err), 1) << echo.err;
  EXPECT_NE(echo.err.find(taken), std::string::npos) << echo.err;

  const Finished admin =
      RunEchod({"--listen=127.0.0.1:0",
                absl::StrCat("--admin_address=", server.admin_address())});
  EXPECT_EQ(admin.exit_status, 2);
  EXPECT_EQ(Lines(admin.err), 1) << admin.err;
  EXPECT_NE(admin.err.find(server.admin_address()), std::string::npos)
      << admin.err;

  const Finished http =
      RunEchod({"--listen=127.0.0.1:0", "--admin_address=127.0.0.1:0",
                absl::StrCat("--http_address=", server.admin_address())});
  EXPECT_EQ(http.exit_status, 2);
  EXPECT_EQ(Lines(http.err), 1) << http.err;
  EXPECT_NE(http.err.find("--http_address"), std::string::npos) << http.err;
}

TEST(StartupTest, TooFewDescriptorsAreAnError) {
  for (const char* workers : {"--workers=1", "--workers=30"}) {
    const Finished finished = RunEchod(
        {workers, "--listen=127.0.0.1:0", "--admin_address=127.0.0.1:0"},
        [] { testing::LimitDescriptors(30); });
    EXPECT_EQ(finished.exit_status, 2);
    EXPECT_EQ(Lines(finished.err), 1) << finished.err;
    EXPECT_NE(finished.err.find("ulimit -n"), std::string::npos)
        << finished.err;
  }
}

std::string ReadFile(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Sanitizers need descriptors to exit, and terabytes of address space.
#ifdef NDEBUG
// Enough descriptors, but the parent process has left most of them open.
TEST(StartupTest, TooManyInheritedDescriptorsAreAnError) {
  constexpr int kLimit = 256;
  for (int left = 1; left < 24; ++left) {
    const Finished finished =
        RunEchod({"--workers=2", "--listen=127.0.0.1:0",
                  "--admin_address=127.0.0.1:0", "--http_address=127.0.0.1:0"},
                 [left] {
                   testing::LimitDescriptors(kLimit);
                   for (int fd = STDERR_FILENO + 1; fd < kLimit - left; ++fd) {
                     dup2(STDIN_FILENO, fd);
                   }
                 });
    EXPECT_EQ(finished.exit_status, 2) << left;
    EXPECT_EQ(Lines(finished.err), 1) << finished.err;
    EXPECT_NE(finished.err.find("ulimit -n"), std::string::npos)
        << finished.err;
  }
}

TEST(StartupTest, ALimitOfAddressSpaceNeitherHangsItNorAbortsIt) {
  constexpr std::uint64_t kMiB = 1024 * 1024;
  int ran = 0;
  int could_not_run = 0;
  for (std::uint64_t size = 120 * kMiB; size < 1000 * kMiB; size += 40 * kMiB) {
    ServerProcess server({.may_fail = true, .in_child = [size] {
                            const rlimit limit = {.rlim_cur = size,
                                                  .rlim_max = size};
                            setrlimit(RLIMIT_AS, &limit);
                          }});
    if (server.started()) {
      ++ran;
      server.Signal(SIGTERM);
      EXPECT_EQ(server.WaitForExit(), 0) << size;
    } else {
      ++could_not_run;
      EXPECT_EQ(server.WaitForExit(), 2) << size;
    }
  }
  EXPECT_GT(ran, 0);
  EXPECT_GT(could_not_run, 0);
}
#endif

TEST(StartupTest, WhoCannotStartLeavesTheOthersPortFile) {
  const ServerProcess server;
  const std::string before = ReadFile(server.port_file());
  EXPECT_NE(before, "");
  for (const std::string& taken :
       {absl::StrCat("--listen=", server.echo_address().ToString()),
        absl::StrCat("--admin_address=", server.admin_address())}) {
    std::vector<std::string> flags = {
        "--listen=127.0.0.1:0", "--admin_address=127.0.0.1:0",
        absl::StrCat("--port_file=", server.port_file())};
    testing::SetFlags(flags, {taken});
    EXPECT_EQ(RunEchod(flags).exit_status, 2);
    EXPECT_EQ(ReadFile(server.port_file()), before);
  }
}

TEST(StartupTest, ThePortFileMayBeStandardOutput) {
  const Finished finished =
      RunEchod({"--listen=localhost:0", "--admin_address=localhost:0",
                "--port_file=/dev/stdout"},
               [] { PendingSignal(SIGTERM); });
  EXPECT_EQ(finished.exit_status, 0) << finished.err;
  EXPECT_EQ(finished.out.rfind(R"({"listeners":{"default":"127.0.0.1:)", 0), 0u)
      << finished.out;
  EXPECT_EQ(Lines(finished.out), 1);
}

TEST(StartupTest, ListensWhereEachListenFlagSays) {
  const Finished finished =
      RunEchod({"--listen=127.0.0.1:0", "--listen=blue=127.0.0.1:0",
                "--admin_address=127.0.0.1:0", "--port_file=/dev/stdout"},
               [] { PendingSignal(SIGTERM); });
  EXPECT_EQ(finished.exit_status, 0) << finished.err;
  EXPECT_NE(finished.out.find(R"("blue":"127.0.0.1:)"), std::string::npos);
  EXPECT_NE(finished.out.find(R"("default":"127.0.0.1:)"), std::string::npos);
}

TEST(StartupTest, TheSettingFlagsAreForEachListener) {
  const ServerProcess server(
      {"--listen=127.0.0.1:0,blue=127.0.0.1:0", "--mode=raw"});
  for (const char* name : {"default", "blue"}) {
    std::optional<TcpClient> client =
        TcpClient::Connect(server.echo_address(name));
    ASSERT_TRUE(client.has_value()) << name;
    ASSERT_TRUE(client->Send("raw"));
    EXPECT_EQ(client->Read(3), "raw") << name;
  }
}

class EarlySignalTest : public ::testing::TestWithParam<int> {};

// Otherwise echod would never receive it as the first process of a container.
TEST_P(EarlySignalTest, DrainsAsSoonAsItIsReady) {
  const Finished finished =
      RunEchod({"--listen=127.0.0.1:0", "--admin_address=127.0.0.1:0"},
               [] { PendingSignal(GetParam()); });
  EXPECT_EQ(finished.exit_status, 0) << finished.err;
  EXPECT_NE(finished.err.find("accepts on"), std::string::npos) << finished.err;
}

INSTANTIATE_TEST_SUITE_P(Signals, EarlySignalTest,
                         ::testing::Values(SIGTERM, SIGINT, SIGHUP, SIGQUIT));

TEST(StartupTest, AnswersHelpAndVersion) {
  const Finished help = RunEchod({"--help"});
  EXPECT_EQ(help.exit_status, 0);
  for (const char* flag :
       {"--listen=[::]:8080", "--mode=line", "--workers=0",
        "--max_connections=0", "--max_connections_per_address=0",
        "--max_total_connections=0", "--max_connection_age=0",
        "--write_stall_timeout=0", "--max_line_bytes=65536",
        "--max_buffered_bytes=1048576", "--idle_timeout=0", "--backlog=4096",
        "--drain_grace_period=0", "--drain_timeout=30s",
        "--admin_address=127.0.0.1:9901", "--log_level=info", "--port_file="}) {
    EXPECT_NE(help.out.find(flag), std::string::npos) << flag;
  }
  for (const absl::string_view line : absl::StrSplit(help.out, '\n')) {
    EXPECT_LE(line.size(), 80u) << line;
  }
  const Finished full = RunEchod(
      {"--help"}, [] { dup2(open("/dev/full", O_WRONLY), STDOUT_FILENO); });
  EXPECT_EQ(full.exit_status, 2);
  EXPECT_EQ(Lines(full.err), 1) << full.err;
  const Finished version = RunEchod({"--version"});
  EXPECT_EQ(version.exit_status, 0);
  EXPECT_EQ(version.out.rfind("echod ", 0), 0u);
  // A test that depended on the commit would run again for every commit.
  EXPECT_NE(version.out.find("\ncommit: not recorded"), std::string::npos);
  EXPECT_NE(version.out.find("\nlibevent: "), std::string::npos);
}

TEST(StartupTest, AllAddressesAreBothFamilies) {
  if (!TcpClient::Connect(*SocketAddress::Parse("[::1]:1")).has_value() &&
      errno == EADDRNOTAVAIL) {
    GTEST_SKIP() << "no IPv6 loopback here";
  }
  const ServerProcess server({"--listen=[::]:0"});
  const int port = server.echo_address().port();
  for (const char* host : {"127.0.0.1", "::1"}) {
    std::optional<TcpClient> client = TcpClient::Connect(
        *SocketAddress::FromHost(host, static_cast<std::uint16_t>(port)));
    ASSERT_TRUE(client.has_value()) << host;
    ASSERT_TRUE(client->Send("hello world.\r\n"));
    EXPECT_EQ(client->Read(22), "YOU SAID hello world.\n") << host;
  }
}

TEST(StartupTest, AllAddressesAreIpv4AloneWhereIpv6IsOff) {
  const ServerProcess server(
      {.flags = {"--listen=[::]:0", "--admin_address=[::]:0"},
       .without_ipv6 = true});
  EXPECT_FALSE(server.echo_address().is_ipv6());
  EXPECT_EQ(server.admin_address().rfind("0.0.0.0:", 0), 0u)
      << server.admin_address();
  std::optional<TcpClient> client =
      TcpClient::Connect(SocketAddress::FromHost("127.0.0.1", 0)
                             ->WithPort(server.echo_address().port()));
  ASSERT_TRUE(client.has_value());
  ASSERT_TRUE(client->Send("one\n"));
  EXPECT_EQ(client->Read(13), "YOU SAID one\n");
}

}  // namespace
}  // namespace echod::e2e
