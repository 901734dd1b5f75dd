// SPDX-License-Identifier: Apache-2.0

#include "echo/server/access_log.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "echo/base/socket_address.h"
#include "echo/base/unique_fd.h"
#include "echo/control/session_event.h"
#include "echo/server/access_record.h"
#include "gtest/gtest.h"
#include "tests/support/eventually.h"

namespace echod {
namespace {

using testing::Eventually;

constexpr absl::Duration kLong = absl::Seconds(60);

std::string NewPath(const std::string& name) {
  const char* const directory = std::getenv("TEST_TMPDIR");
  std::string path = absl::StrCat(directory, "/", name, ".", getpid());
  unlink(path.c_str());
  return path;
}

std::string ReadFile(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// The numbers of the connections in the file's records.
std::vector<std::string> Names(const std::string& path) {
  std::vector<std::string> names;
  std::istringstream lines(ReadFile(path));
  for (std::string line; std::getline(lines, line);) {
    names.push_back(nlohmann::json::parse(line)["name"]);
  }
  return names;
}

SessionEvent Closed(std::uint64_t number) {
  SessionEvent event;
  event.kind = SessionEvent::Kind::kClosed;
  event.connection.number = number;
  event.connection.listener_id = "default";
  return event;
}

class AccessLogTest : public ::testing::Test {
 protected:
  AccessLogTest() {
    std::signal(SIGPIPE, SIG_IGN);
    std::signal(SIGXFSZ, SIG_IGN);
  }
};

TEST_F(AccessLogTest, WritesARecordPerConnection) {
  const std::string path = NewPath("log");
  const auto log = *AccessLog::Start({.path = path});
  EXPECT_TRUE(log->Wants(SessionEvent::Kind::kClosed));
  EXPECT_FALSE(log->Wants(SessionEvent::Kind::kOpened));
  SessionEvent event = Closed(7);
  event.reason = CloseReason::kIdleTimeout;
  event.time = MonotonicTime(std::chrono::milliseconds(2500));
  event.connection.created = MonotonicTime(std::chrono::seconds(1));
  event.connection.last_active = MonotonicTime(std::chrono::seconds(2));
  event.connection.wall_epoch = absl::FromUnixSeconds(1'000'000'000);
  event.connection.bytes_received = 5;
  event.connection.bytes_sent = std::int64_t{1} << 60;
  event.connection.state = ConnectionInfo::State::kClosing;
  log->OnEvent(event);
  log->Stop(kLong);
  EXPECT_EQ(
      ReadFile(path),
      R"({"time":"2001-09-09T01:46:42.500000Z","event":"closed",)"
      R"("reason":"idle_timeout","name":"connections/7",)"
      R"("listener":"listeners/default","listener_generation":0,"worker":0,)"
      R"("state":"STATE_CLOSING","remote_address":"0.0.0.0:0",)"
      R"("local_address":"0.0.0.0:0",)"
      R"("create_time":"2001-09-09T01:46:41.000000Z",)"
      R"("last_active_time":"2001-09-09T01:46:42.000000Z",)"
      R"("bytes_received":5,"bytes_sent":1152921504606846976,)"
      R"("bytes_buffered":0,"lines_echoed":0,"reading_paused":false})"
      "\n");
  EXPECT_EQ(log->dropped(), 0);
}

TEST(AccessRecordTest, SaysWhoIsConnectedOverAUnixSocket) {
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  const UniqueFd first(ends[0]);
  const UniqueFd second(ends[1]);
  SessionEvent event;
  EXPECT_FALSE(
      nlohmann::json::parse(AccessRecord(event)).contains("peer_credentials"));
  event.connection.remote_address = UnixPeerOf(first.get());
  const auto record = nlohmann::json::parse(AccessRecord(event));
  EXPECT_EQ(record["peer_credentials"]["pid"], getpid());
  EXPECT_EQ(record["peer_credentials"]["uid"], getuid());
  EXPECT_EQ(record["peer_credentials"]["gid"], getgid());
}

TEST_F(AccessLogTest, AppendsAndKeepsOthersOut) {
  const std::string path = NewPath("log");
  for (std::uint64_t i = 1; i <= 2; ++i) {
    const auto log = *AccessLog::Start({.path = path});
    log->OnEvent(Closed(i));
    log->Stop(kLong);
  }
  EXPECT_EQ(Names(path),
            (std::vector<std::string>{"connections/1", "connections/2"}));
  struct stat found = {};
  ASSERT_EQ(stat(path.c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 07u, 0u);
}

TEST_F(AccessLogTest, APathThatCannotBeWrittenIsAnError) {
  for (const std::string& path :
       {std::string("/nowhere/log"), std::string(std::getenv("TEST_TMPDIR"))}) {
    const auto log = AccessLog::Start({.path = path});
    EXPECT_TRUE(absl::IsFailedPrecondition(log.status())) << log.status();
    EXPECT_NE(log.status().message().find(path), std::string::npos);
  }
}

TEST_F(AccessLogTest, ARenamedFileIsReplacedByItself) {
  const std::string path = NewPath("log");
  const auto log = *AccessLog::Start({.path = path});
  log->OnEvent(Closed(1));
  ASSERT_TRUE(Eventually([&] { return Names(path).size() == 1; }));
  const std::string old = path + ".1";
  ASSERT_EQ(std::rename(path.c_str(), old.c_str()), 0);
  ASSERT_TRUE(Eventually([&] { return access(path.c_str(), F_OK) == 0; }));
  log->OnEvent(Closed(2));
  log->Stop(kLong);
  EXPECT_EQ(Names(old), std::vector<std::string>{"connections/1"});
  EXPECT_EQ(Names(path), std::vector<std::string>{"connections/2"});
}

TEST_F(AccessLogTest, ReopenTakesTheNewTargetOfALink) {
  const std::string first = NewPath("first");
  const std::string second = NewPath("second");
  const std::string link = NewPath("link");
  ASSERT_EQ(symlink(first.c_str(), link.c_str()), 0);
  const auto log = *AccessLog::Start({.path = link});
  log->OnEvent(Closed(1));
  ASSERT_TRUE(Eventually([&] { return Names(first).size() == 1; }));
  ASSERT_EQ(unlink(link.c_str()), 0);
  ASSERT_EQ(symlink(second.c_str(), link.c_str()), 0);
  log->Reopen();
  log->OnEvent(Closed(2));
  log->Stop(kLong);
  EXPECT_EQ(Names(first), std::vector<std::string>{"connections/1"});
  EXPECT_EQ(Names(second), std::vector<std::string>{"connections/2"});
}

TEST_F(AccessLogTest, WhenItCannotReopenItGoesOnWithTheOldFile) {
  const std::string path = NewPath("log");
  const auto log = *AccessLog::Start({.path = path});
  const std::string old = path + ".1";
  ASSERT_EQ(std::rename(path.c_str(), old.c_str()), 0);
  ASSERT_EQ(mkdir(path.c_str(), 0700), 0);
  log->Reopen();
  log->OnEvent(Closed(1));
  ASSERT_TRUE(Eventually([&] { return Names(old).size() == 1; }));
  ASSERT_EQ(rmdir(path.c_str()), 0);
  ASSERT_TRUE(Eventually([&] { return access(path.c_str(), F_OK) == 0; }));
  log->OnEvent(Closed(2));
  log->Stop(kLong);
  EXPECT_EQ(Names(path), std::vector<std::string>{"connections/2"});
}

TEST_F(AccessLogTest, AFullDiskDropsAndCounts) {
  const auto log = *AccessLog::Start({.path = "/dev/full"});
  for (std::uint64_t i = 1; i <= 100; ++i) log->OnEvent(Closed(i));
  log->Stop(kLong);
  EXPECT_EQ(log->dropped(), 100);
}

// Its buffer and the queue fill, and everything else is counted.
TEST_F(AccessLogTest, APipeThatNobodyReadsDropsAndCounts) {
  const std::string path = NewPath("pipe");
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  auto log = *AccessLog::Start({.path = path});
  std::uint64_t sent = 0;
  while (log->dropped() == 0) log->OnEvent(Closed(++sent));
  EXPECT_GE(sent, AccessLog::kCapacity);
  log->OnEvent(Closed(++sent));

  // A reader that comes gets whole records, in order, up to the gap.
  const UniqueFd reader(open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  ASSERT_TRUE(reader.valid());
  std::string text;
  const std::int64_t expected =
      static_cast<std::int64_t>(sent) - log->dropped();
  std::int64_t records = 0;
  ASSERT_TRUE(Eventually([&] {
    char bytes[65536];
    const ssize_t count = read(reader.get(), bytes, sizeof bytes);
    if (count > 0) {
      text.append(bytes, static_cast<std::size_t>(count));
      records = std::count(text.begin(), text.end(), '\n');
    }
    return records == expected;
  }));
  std::istringstream lines(text);
  std::uint64_t number = 0;
  for (std::string line; std::getline(lines, line);) {
    EXPECT_EQ(nlohmann::json::parse(line)["name"],
              absl::StrCat("connections/", ++number));
  }
  log->OnEvent(Closed(++sent));
  log->Stop(kLong);
}

TEST_F(AccessLogTest, StopWaitsNoLongerThanItMay) {
  const std::string path = NewPath("pipe");
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  auto log = *AccessLog::Start({.path = path});
  while (log->dropped() == 0) log->OnEvent(Closed(1));
  log->Stop(absl::Milliseconds(10));
}

// Someone who has found a pipe stuck can have it replaced.
TEST_F(AccessLogTest, ReopenLeavesAStuckPipe) {
  const std::string path = NewPath("pipe");
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  const auto log = *AccessLog::Start({.path = path});
  while (log->dropped() == 0) log->OnEvent(Closed(1));
  ASSERT_EQ(unlink(path.c_str()), 0);
  log->Reopen();
  EXPECT_TRUE(Eventually([&] { return !ReadFile(path).empty(); }));
  log->Stop(kLong);
}

}  // namespace
}  // namespace echod
