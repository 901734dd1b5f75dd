// SPDX-License-Identifier: Apache-2.0

// The load generator against faulty servers, and loads that end early.

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "echo/base/socket_address.h"
#include "echo/base/unique_fd.h"
#include "echo/testing/test_server.h"
#include "gtest/gtest.h"
#include "tests/load/load_options.h"
#include "tests/load/load_run.h"
#include "tests/load/test_load.h"

namespace echod::load {
namespace {

// Accepts connections one by one, and passes each to `serve`.
class BadServer {
 public:
  explicit BadServer(std::function<void(int fd)> serve)
      : thread_([this, serve = std::move(serve)] {
          for (;;) {
            const UniqueFd fd(accept(listening_.get(), nullptr, nullptr));
            if (stop_) return;
            serve(fd.get());
          }
        }) {}
  ~BadServer() {
    stop_ = true;
    shutdown(listening_.get(), SHUT_RDWR);  // wakes accept
    thread_.join();
  }

  SocketAddress address() const { return LocalAddress(listening_.get()); }

 private:
  static UniqueFd Listen() {
    UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_storage storage;
    const socklen_t length =
        SocketAddress::Parse("127.0.0.1:0")->ToKernel(storage);
    EXPECT_EQ(bind(fd.get(), reinterpret_cast<sockaddr*>(&storage), length), 0);
    EXPECT_EQ(listen(fd.get(), 16), 0);
    return fd;
  }

  const UniqueFd listening_ = Listen();
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

std::int64_t Errors(const LoadResult& result, ErrorKind kind) {
  return result.whole.errors[static_cast<std::size_t>(kind)];
}

// Echoes correctly, except for byte number `at`.
void EchoBut(
    int fd, std::size_t at,
    const std::function<void(std::string& bytes, std::size_t i)>& do_wrong) {
  std::size_t seen = 0;
  char buffer[4096];
  for (;;) {
    const ssize_t got = recv(fd, buffer, sizeof buffer, 0);
    if (got <= 0) return;
    std::string bytes(buffer, static_cast<std::size_t>(got));
    if (seen <= at && at < seen + bytes.size()) do_wrong(bytes, at - seen);
    seen += static_cast<std::size_t>(got);
    if (send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL) < 0) return;
  }
}

LoadResult RunAgainst(const BadServer& server) {
  LoadOptions options = Small(server.address(), Mode::kRaw);
  options.connections = 1;
  options.timeout = absl::Milliseconds(500);
  return MustRun(options);
}

TEST(LoadRunErrorsTest, SeesAByteThatIsWrong) {
  const BadServer server([](int fd) {
    EchoBut(fd, 1000, [](std::string& bytes, std::size_t i) { bytes[i] ^= 1; });
  });
  const LoadResult result = RunAgainst(server);
  EXPECT_FALSE(result.EverythingCameBack());
  EXPECT_GT(Errors(result, ErrorKind::kWrongBytes), 0);
}

TEST(LoadRunErrorsTest, SeesAByteThatIsMissing) {
  const BadServer server([](int fd) {
    EchoBut(fd, 1000,
            [](std::string& bytes, std::size_t i) { bytes.erase(i, 1); });
  });
  EXPECT_FALSE(RunAgainst(server).EverythingCameBack());
}

TEST(LoadRunErrorsTest, SeesAByteThatComesTwice) {
  const BadServer server([](int fd) {
    EchoBut(fd, 1000, [](std::string& bytes, std::size_t i) {
      bytes.insert(i, 1, bytes[i]);
    });
  });
  const LoadResult result = RunAgainst(server);
  EXPECT_GT(Errors(result, ErrorKind::kWrongBytes), 0);
}

TEST(LoadRunErrorsTest, SeesAnEarlyEnd) {
  const BadServer server([](int fd) {
    char byte = 0;
    recv(fd, &byte, 1, MSG_PEEK);
    shutdown(fd, SHUT_WR);
    char buffer[256];
    while (recv(fd, buffer, sizeof buffer, 0) > 0) {
    }
  });
  const LoadResult result = RunAgainst(server);
  EXPECT_GT(Errors(result, ErrorKind::kClosedEarly), 0);
  EXPECT_GT(result.unanswered, 0);
}

TEST(LoadRunErrorsTest, SeesAReset) {
  const BadServer server([](int fd) {
    char byte = 0;
    recv(fd, &byte, 1, 0);  // closed with bytes unread
  });
  const LoadResult result = RunAgainst(server);
  EXPECT_GT(Errors(result, ErrorKind::kReset), 0);
}

TEST(LoadRunErrorsTest, SeesAServerThatSaysNothing) {
  const BadServer server([](int fd) {
    char buffer[256];
    while (recv(fd, buffer, sizeof buffer, 0) > 0) {
    }
  });
  LoadOptions options = Small(server.address(), Mode::kRaw);
  options.connections = 1;
  options.timeout = absl::Milliseconds(50);
  options.duration = absl::Milliseconds(400);
  const LoadResult result = MustRun(options);
  EXPECT_GT(Errors(result, ErrorKind::kTimeout), 0);
  EXPECT_FALSE(result.EverythingCameBack());
}

// The purpose of the open loop: while the server stalls, waiting requests count
// their waiting time.
TEST(LoadRunErrorsTest, AStallOfTheServerShowsInTheOpenLoop) {
  constexpr int kStallMs = 300;
  const BadServer server([](int fd) {
    EchoBut(fd, 640, [](std::string& /*bytes*/, std::size_t /*i*/) {
      poll(nullptr, 0, kStallMs);  // simulates a stalled server
    });
  });
  LoadOptions options = Small(server.address(), Mode::kRaw);
  options.connections = 1;
  options.rate = 1000;
  options.duration = absl::Milliseconds(600);
  const LoadResult result = MustRun(options);
  EXPECT_TRUE(result.EverythingCameBack());
  // About 300 requests were due in the stall; a closed loop would have sent
  // one.
  const std::uint64_t slow = static_cast<std::uint64_t>(kStallMs) * 500'000;
  EXPECT_GT(result.latencies.Percentile(80), slow);
}

// The same, with a stall that lasts beyond the end.
TEST(LoadRunErrorsTest, AStallAtTheEndShowsToo) {
  for (const bool recovers : {true, false}) {
    const BadServer server([&](int fd) {
      EchoBut(fd, 6400, [&](std::string& /*bytes*/, std::size_t /*i*/) {
        poll(nullptr, 0, recovers ? 500 : 1000);  // simulates a stalled server
      });
    });
    LoadOptions options = Small(server.address(), Mode::kRaw);
    options.connections = 1;
    options.rate = 1000;
    options.duration = absl::Milliseconds(400);
    options.timeout = absl::Milliseconds(recovers ? 5000 : 500);
    const LoadResult result = MustRun(options);
    EXPECT_EQ(result.EverythingCameBack(), recovers);
    EXPECT_EQ(result.unanswered, recovers ? 0 : 1);
    // Due in the 300 milliseconds that were left.
    EXPECT_GT(result.unsent, 150);
    EXPECT_GE(
        result.latencies.count(),
        static_cast<std::uint64_t>(result.counts.requests + result.unsent));
    EXPECT_GT(result.latencies.Percentile(90), 150'000'000u);
    EXPECT_GT(result.latencies.Greatest(), 400'000'000u);
  }
}

TEST(LoadRunErrorsTest, WhatIsNotAnsweredIsCountedOnce) {
  const BadServer server([](int fd) {
    char byte = 0;
    recv(fd, &byte, 1, 0);
    send(fd, "?", 1, MSG_NOSIGNAL);
  });
  LoadOptions options = Small(server.address(), Mode::kRaw);
  options.connections = 1;
  const LoadResult result = MustRun(options);
  EXPECT_EQ(result.unanswered, result.whole.connections_opened);
  EXPECT_EQ(result.unexpected, "?");
}

TEST(LoadRunErrorsTest, WithoutAServerThereIsNoRun) {
  UniqueFd holder;
  const int port = HeldPort(holder);
  holder.Reset();
  LoadOptions options = Small(SocketAddress::Parse("127.0.0.1:1")
                                  ->WithPort(static_cast<std::uint16_t>(port)),
                              Mode::kRaw);
  LoadObserver observer;
  const absl::Status status = RunLoad(options, observer).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_NE(status.message().find("Connection refused"), std::string::npos);
}

TEST(LoadRunErrorsTest, GoesOnToTheNextAddress) {
  UniqueFd holder;
  const int port = HeldPort(holder);
  holder.Reset();
  TestServer server;
  LoadOptions options = Small({}, Mode::kLine);
  LoadObserver observer;
  const absl::StatusOr<LoadResult> result =
      RunLoadOnAny({SocketAddress::Parse("127.0.0.1:1")
                        ->WithPort(static_cast<std::uint16_t>(port)),
                    server.address()},
                   options, observer);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_TRUE(result->EverythingCameBack());
  EXPECT_EQ(options.server, server.address());
}

TEST(LoadRunErrorsTest, AnObserverCanEndIt) {
  class Impatient final : public LoadObserver {
   public:
    void OnMeasuring() override { measuring_ = true; }
    bool Wait(absl::Duration time) override {
      return !measuring_ && LoadObserver::Wait(time);
    }

   private:
    bool measuring_ = false;
  };
  TestServer server;
  LoadOptions options = Small(server.address(), Mode::kLine);
  options.duration = absl::Hours(1);
  Impatient observer;
  EXPECT_TRUE(RunLoad(options, observer).ok());
}

TEST(LoadRunErrorsTest, EndedBeforeAllHaveConnectedItHasMeasuredNothing) {
  class Impatient final : public LoadObserver {
   public:
    void OnConnecting(std::int64_t settled, std::int64_t /*wanted*/) override {
      settled_ = settled;
    }
    bool Wait(absl::Duration time) override {
      return settled_ == 0 && LoadObserver::Wait(time);
    }

   private:
    std::int64_t settled_ = 0;
  };
  TestServer server;
  LoadOptions options = Small(server.address(), Mode::kLine);
  options.ramp = absl::Hours(1);
  Impatient observer;
  const absl::StatusOr<LoadResult> result = RunLoad(options, observer);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->measured, absl::ZeroDuration());
  EXPECT_EQ(result->counts.requests, 0);
  EXPECT_GT(result->whole.connections_opened, 0);
}

// Against a server that answers nothing, and without waiting for answers.
LoadResult RunUnanswered(LoadOptions options) {
  class Impatient final : public LoadObserver {
   public:
    bool WaitForAnswers(absl::Duration /*time*/) override { return false; }
  };
  const BadServer server([](int fd) {
    char buffer[256];
    while (recv(fd, buffer, sizeof buffer, 0) > 0) {
    }
  });
  options.server = server.address();
  options.timeout = absl::Hours(1);
  Impatient observer;
  absl::StatusOr<LoadResult> result = RunLoad(options, observer);
  EXPECT_TRUE(result.ok()) << result.status();
  return result.ok() ? *std::move(result) : LoadResult();
}

TEST(LoadRunErrorsTest, AnObserverNeedNotWaitForAnswers) {
  LoadOptions options = Small(SocketAddress(), Mode::kRaw);
  options.connections = 1;
  EXPECT_EQ(RunUnanswered(options).unanswered, 1);
}

TEST(LoadRunErrorsTest, NoMoreRequestsThanTheLimitAreUnderWay) {
  LoadOptions options = Small(SocketAddress(), Mode::kRaw);
  options.threads = 2;
  options.pipeline = 2;
  options.in_flight = 5;
  EXPECT_EQ(RunUnanswered(options).unanswered, 5);
  options.in_flight = 0;
  EXPECT_EQ(RunUnanswered(options).unanswered, 14);
}

TEST(LoadRunErrorsTest, OptionsThatMakeNoSenseNameTheirFlag) {
  const auto problem = [](const std::function<void(LoadOptions&)>& change) {
    LoadOptions options;
    change(options);
    return std::string(ValidateLoad(options).message());
  };
  EXPECT_EQ(problem([](LoadOptions&) {}), "");
  const std::vector<std::pair<std::string, std::function<void(LoadOptions&)>>>
      cases = {
          {"connections", [](auto& o) { o.connections = 0; }},
          {"connections", [](auto& o) { o.connections = 999'999; }},
          {"threads", [](auto& o) { o.threads = 0; }},
          {"threads", [](auto& o) { o.threads = o.connections + 1; }},
          {"size", [](auto& o) { o.request_bytes = 0; }},
          {"pipeline", [](auto& o) { o.pipeline = 0; }},
          {"in_flight", [](auto& o) { o.in_flight = -1; }},
          {"in_flight", [](auto& o) { o.threads = 2, o.in_flight = 1; }},
          {"in_flight", [](auto& o) { o.rate = 1, o.in_flight = 1; }},
          {"rate", [](auto& o) { o.rate = -1; }},
          {"duration", [](auto& o) { o.duration = absl::ZeroDuration(); }},
          {"duration", [](auto& o) { o.duration = absl::InfiniteDuration(); }},
          {"ramp", [](auto& o) { o.ramp = -absl::Seconds(1); }},
          {"ramp", [](auto& o) { o.ramp = absl::InfiniteDuration(); }},
          {"timeout", [](auto& o) { o.timeout = absl::ZeroDuration(); }},
          {"requests_per_connection",
           [](auto& o) { o.requests_per_connection = -1; }},
          {"reconnect_rate", [](auto& o) { o.reconnect_rate = -1; }},
      };
  for (const auto& [flag, change] : cases) {
    EXPECT_EQ(problem(change).rfind("flag --" + flag + ":", 0), 0u)
        << problem(change);
  }
}

}  // namespace
}  // namespace echod::load
