// SPDX-License-Identifier: Apache-2.0

// The load generator as a program.

#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "gtest/gtest.h"
#include "tests/support/server_process.h"

namespace echod::load {
namespace {

using testing::Finished;
using testing::ServerProcess;

Finished Echoload(const std::vector<std::string>& arguments) {
  return testing::RunProgram("tests/load/echoload", arguments);
}

std::string Place(const ServerProcess& server) {
  return server.echo_address().ToString();
}

TEST(EcholoadTest, SaysThatEveryByteCameBack) {
  const ServerProcess server;
  const Finished run = Echoload({"--duration=200ms", Place(server)});
  EXPECT_EQ(run.exit_status, 0) << run.err;
  EXPECT_TRUE(absl::EndsWith(run.out, "every byte came back\n")) << run.out;
  EXPECT_TRUE(absl::StrContains(run.out, "100 connections")) << run.out;
  EXPECT_EQ(run.err, "");  // progress is shown on terminals only
}

TEST(EcholoadTest, FindsHostsByName) {
  const ServerProcess server;
  const Finished run =
      Echoload({"--duration=50ms",
                "localhost:" + std::to_string(server.echo_address().port())});
  EXPECT_EQ(run.exit_status, 0) << run.err;
}

TEST(EcholoadTest, PrintsJsonAndWritesHgrm) {
  const ServerProcess server({"--mode=raw"});
  const std::string file = ::testing::TempDir() + "/latency.hgrm";
  const Finished run = Echoload(
      {"--mode=raw", "--connections=3", "--size=100", "--rate=500",
       "--duration=200ms", "--output=json", "--hgrm=" + file, Place(server)});
  EXPECT_EQ(run.exit_status, 0) << run.err;
  const auto json = nlohmann::json::parse(run.out);
  EXPECT_EQ(json["connections"], 3);
  EXPECT_EQ(json["request_bytes"], 100);
  EXPECT_GT(json["requests"], 0);
  EXPECT_GT(json["latency_us"]["p99"], 0.0);
  EXPECT_EQ(json["errors"]["wrong_bytes"], 0);
  EXPECT_EQ(json["every_byte_came_back"], true);
  std::ifstream hgrm(file);
  const std::string text{std::istreambuf_iterator<char>(hgrm), {}};
  EXPECT_TRUE(absl::StrContains(text, "#[Max")) << text;
}

TEST(EcholoadTest, KeepsAnOldFileWhenItCannotRun) {
  const std::string file = ::testing::TempDir() + "/old.hgrm";
  std::ofstream(file) << "old";
  const Finished run = Echoload({"--hgrm=" + file, "127.0.0.1:1"});
  EXPECT_EQ(run.exit_status, 2);
  std::ifstream in(file);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(in), {}), "old");
}

TEST(EcholoadTest, SaysWhenItCannotWriteWhatItHasMeasured) {
  const ServerProcess server;
  const Finished run =
      Echoload({"--duration=50ms", "--hgrm=/dev/full", Place(server)});
  EXPECT_EQ(run.exit_status, 2);
  EXPECT_TRUE(absl::StrContains(run.err, "cannot write all of /dev/full"))
      << run.err;
}

TEST(EcholoadTest, ItsStatusSaysThatNotEveryByteCameBack) {
  const ServerProcess server({"--mode=line"});
  const Finished run = Echoload(
      {"--mode=raw", "--duration=50ms", "--timeout=200ms", Place(server)});
  EXPECT_EQ(run.exit_status, 1);
  EXPECT_TRUE(absl::StrContains(run.out, "began with \"YOU SAID ")) << run.out;
  EXPECT_TRUE(absl::StrContains(run.out, "is the server in line mode?"))
      << run.out;
  EXPECT_TRUE(absl::EndsWith(run.out, "NOT every byte came back\n")) << run.out;
}

TEST(EcholoadTest, SaysInOneLineWhyItCannotRun) {
  for (const auto& [arguments, words] :
       std::vector<std::pair<std::vector<std::string>, std::string>>{
           {{}, "name one server"},
           {{"a:1", "b:2"}, "name one server"},
           {{"nonsense"}, "is not host:port"},
           {{"localhost:70000"}, "from 1 to 65535"},
           {{"localhost:0"}, "from 1 to 65535"},
           {{"localhost:http"}, "from 1 to 65535"},
           {{"::1:8080"}, "IPv6 in brackets"},
           {{"http://localhost:80"}, "leave out"},
           {{"no-such-host.invalid:1"}, "cannot find"},
           {{"127.0.0.1:1"}, "Connection refused"},
           {{"--size=0", "127.0.0.1:1"}, "flag --size"},
           {{"--mode=word", "127.0.0.1:1"}, "choose line or raw"},
           {{"--hgrm=/nonexistent/x", "127.0.0.1:1"}, "flag --hgrm"},
           {{"--rate=abc", "127.0.0.1:1"}, "write a number"},
           {{"--conections=1", "127.0.0.1:1"}, "did you mean --connections"},
       }) {
    const Finished run = Echoload(arguments);
    EXPECT_EQ(run.exit_status, 2);
    EXPECT_EQ(run.out, "");
    EXPECT_TRUE(absl::StrContains(run.err, words)) << run.err;
    EXPECT_EQ(run.err.find('\n'), run.err.size() - 1) << run.err;
  }
}

}  // namespace
}  // namespace echod::load
