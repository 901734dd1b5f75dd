// SPDX-License-Identifier: Apache-2.0

// Standard error that blocks or fails, and messages from libraries.

#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "echo/base/socket_address.h"
#include "echo/base/unique_fd.h"
#include "gtest/gtest.h"
#include "tests/e2e/admin_client.h"
#include "tests/e2e/server_log.h"
#include "tests/support/eventually.h"
#include "tests/support/server_process.h"
#include "tests/support/tcp_client.h"

namespace echod::e2e {
namespace {

using testing::Eventually;
using testing::Finished;
using testing::RunEchod;
using testing::ServerProcess;
using testing::TcpClient;

// A pipe as a server's standard error.
struct Pipe {
  Pipe() {
    int ends[2] = {};
    EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
    reader = UniqueFd(ends[0]);
    writer = UniqueFd(ends[1]);
  }

  // Fills the pipe completely.
  void Fill() const {
    fcntl(writer.get(), F_SETFL, O_NONBLOCK);
    while (write(writer.get(), "....", 4) > 0) {
    }
    fcntl(writer.get(), F_SETFL, 0);
  }

  std::function<void()> AsStandardError() const {
    return [fd = writer.get()] { dup2(fd, STDERR_FILENO); };
  }

  // Reads until a line contains `text`. False at end of file.
  bool ReadUntil(absl::string_view text) {
    char bytes[65536];
    while (!absl::StrContains(seen, text)) {
      const ssize_t count = read(reader.get(), bytes, sizeof bytes);
      if (count <= 0) return false;
      seen.append(bytes, static_cast<std::size_t>(count));
    }
    return true;
  }

  UniqueFd reader;
  UniqueFd writer;
  std::string seen;
};

void ExpectEcho(const ServerProcess& server) {
  TcpClient client = server.Connect();
  ASSERT_TRUE(client.Send("one\n"));
  EXPECT_EQ(client.Read(13), "YOU SAID one\n");
}

// Logs more than the queue can hold.
void LogALot(const ServerProcess& server) {
  for (int i = 0; i < 6'000; ++i) server.Connect();
}

TEST(LogTest, AFullPipeHoldsNobodyUp) {
  const Pipe pipe;
  pipe.Fill();
  ServerProcess server({.flags = {"--log_level=debug", "--workers=2"},
                        .in_child = pipe.AsStandardError()});
  AdminClient admin(server);
  LogALot(server);
  EXPECT_TRUE(
      Eventually([&] { return admin.Stats().log_lines_dropped_total() > 0; }));
  ExpectEcho(server);
  ASSERT_TRUE(admin.MoveTo(0).ok());
  ExpectEcho(server);

  admin::v1::Server draining;
  EXPECT_TRUE(admin
                  .Call(&AdminClient::Stub::DrainServer,
                        admin::v1::DrainServerRequest(), &draining)
                  .ok());
  EXPECT_EQ(server.WaitForExit(), 0);
}

TEST(LogTest, ASignalEndsItBeforeAFullPipe) {
  const Pipe pipe;
  pipe.Fill();
  ServerProcess server({.in_child = pipe.AsStandardError()});
  server.Signal(SIGTERM);
  EXPECT_EQ(server.WaitForExit(), 0);
}

TEST(LogTest, WhatWasDroppedIsReportedOnceItGoesOn) {
  Pipe pipe;
  pipe.Fill();
  ServerProcess server(
      {.flags = {"--log_level=debug"}, .in_child = pipe.AsStandardError()});
  AdminClient admin(server);
  LogALot(server);
  ASSERT_TRUE(
      Eventually([&] { return admin.Stats().log_lines_dropped_total() > 0; }));
  pipe.writer.Reset();
  EXPECT_TRUE(pipe.ReadUntil(
      " log lines were dropped: standard error did not take them\n"));
  ExpectEcho(server);
  server.Signal(SIGTERM);
  EXPECT_TRUE(pipe.ReadUntil("stopped: every connection was drained"));
  EXPECT_EQ(server.WaitForExit(), 0);
}

TEST(LogTest, AFloodOfRejectedConnectionsIsNoFloodOfLines) {
  const ServerLog log;
  const ServerProcess server(
      {.flags = {"--max_connections=1"}, .in_child = log.AsStandardError()});
  TcpClient client = server.Connect();
  ASSERT_TRUE(client.Send("one\n"));
  EXPECT_EQ(client.Read(13), "YOU SAID one\n");
  for (int i = 0; i < 500; ++i) {
    EXPECT_EQ(server.Connect().WaitForEnd(), TcpClient::End::kReset);
  }
  const auto lines = [&] {
    const std::vector<std::string> parts =
        absl::StrSplit(log.Text(), "has reset new connections: ");
    return parts.size() - 1;
  };
  EXPECT_TRUE(Eventually([&] { return lines() > 0; }));
  EXPECT_TRUE(absl::StrContains(
      log.Text(),
      " warning listener default has reset new connections: 1 over "
      "max_connections; "));
  // One each 10 s.
  EXPECT_LT(lines(), 10u);
}

TEST(LogTest, AReaderThatIsGoneEndsNothing) {
  Pipe pipe;
  pipe.reader.Reset();
  ServerProcess server({.in_child = pipe.AsStandardError()});
  AdminClient admin(server);
  EXPECT_TRUE(
      Eventually([&] { return admin.Stats().log_lines_dropped_total() > 0; }));
  ExpectEcho(server);
  server.Signal(SIGTERM);
  EXPECT_EQ(server.WaitForExit(), 0);
}

TEST(LogTest, WhyItCannotRunWaitsForNobodyForLong) {
  const Pipe pipe;
  pipe.Fill();
  EXPECT_EQ(RunEchod({"--workers=two"}, pipe.AsStandardError()).exit_status, 2);
}

// Otherwise its sockets would get these numbers, and its clients the log.
TEST(LogTest, StreamsThatAreClosedAreTaken) {
  ServerProcess server({.flags = {"--log_level=debug"}, .in_child = [] {
                          for (int fd = 0; fd <= 2; ++fd) close(fd);
                        }});
  for (int fd = 0; fd <= 2; ++fd) {
    EXPECT_EQ(std::filesystem::read_symlink(
                  absl::StrCat("/proc/", server.pid(), "/fd/", fd)),
              "/dev/null");
  }
  TcpClient client = server.Connect();
  ExpectEcho(server);
  client.FinishSending();
  EXPECT_EQ(client.ReadToEnd(), "");
  server.Signal(SIGTERM);
  EXPECT_EQ(server.WaitForExit(), 0);
}

TEST(LogTest, AMessageIsOneLineOfPrintableText) {
  const Finished finished = RunEchod({"--mode=\x1b[31m\nechod: fine"});
  EXPECT_EQ(finished.exit_status, 2);
  EXPECT_TRUE(absl::StrContains(finished.err, R"('\x1b[31m\nechod: fine')"))
      << finished.err;
}

// A request that gRPC cannot parse; its error message contains the client's
// bytes.
std::string BadRequest(absl::string_view value) {
  const auto frame = [](char type, char flags, char stream,
                        absl::string_view payload) {
    return absl::StrCat(absl::string_view("\0\0", 2),
                        std::string(1, static_cast<char>(payload.size())),
                        std::string{type, flags, 0, 0, 0, stream}, payload);
  };
  constexpr char kSettings = 4;
  constexpr char kHeaders = 1;
  constexpr char kEndOfHeadersAndStream = 5;
  // A literal header field without a name from a table (RFC 7541, 6.2.2).
  const std::string header =
      absl::StrCat(absl::string_view("\0\x0cgrpc-timeout", 14),
                   std::string(1, static_cast<char>(value.size())), value);
  return absl::StrCat("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
                      frame(kSettings, 0, 0, ""),
                      frame(kHeaders, kEndOfHeadersAndStream, 1, header));
}

void SendBadRequest(const ServerProcess& server) {
  TcpClient client =
      *TcpClient::Connect(*SocketAddress::Parse(server.admin_address()));
  ASSERT_TRUE(client.Send(BadRequest("\x1b[31mred")));
  // Its SETTINGS come first, then the answer.
  client.FinishSending();
  client.ReadToEnd();
}

TEST(LogTest, WhatGrpcSaysIsLoggedWithEscapesAndABound) {
  Pipe pipe;
  ServerProcess server({.in_child = pipe.AsStandardError()});
  pipe.writer.Reset();
  for (int i = 0; i < 40; ++i) SendBadRequest(server);
  server.Signal(SIGTERM);
  EXPECT_FALSE(pipe.ReadUntil("until the end"));
  EXPECT_EQ(server.WaitForExit(), 0);
  EXPECT_TRUE(absl::StrContains(pipe.seen, R"(grpc-timeout value=\x1b[31mred)"))
      << pipe.seen;
  EXPECT_FALSE(absl::StrContains(pipe.seen, "\x1b"));
  int lines = 0;
  for (absl::string_view line : absl::StrSplit(pipe.seen, '\n')) {
    if (absl::StrContains(line, " error gRPC: ")) ++lines;
  }
  EXPECT_GE(lines, 10);
  EXPECT_LT(lines, 40);
}

TEST(LogTest, OffIsSilent) {
  Pipe pipe;
  ServerProcess server(
      {.flags = {"--log_level=off"}, .in_child = pipe.AsStandardError()});
  pipe.writer.Reset();
  SendBadRequest(server);
  server.Signal(SIGTERM);
  EXPECT_FALSE(pipe.ReadUntil("until the end"));
  EXPECT_EQ(server.WaitForExit(), 0);
  EXPECT_EQ(pipe.seen, "");
}

}  // namespace
}  // namespace echod::e2e
