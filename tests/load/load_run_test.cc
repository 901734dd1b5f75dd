// SPDX-License-Identifier: Apache-2.0

// The load generator against correct servers.

#include "tests/load/load_run.h"

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
#include "tests/load/test_load.h"
#include "tests/support/eventually.h"

namespace echod::load {
namespace {

using testing::Eventually;

class LoadRunTest : public ::testing::TestWithParam<Mode> {
 protected:
  static EchoServerOptions Options() {
    EchoServerOptions options = With(
        {.mode = GetParam() == Mode::kLine ? EchoMode::kLine : EchoMode::kRaw});
    options.worker_count = 2;
    return options;
  }

  TestServer server_{Options()};
};

TEST_P(LoadRunTest, EveryByteOfAClosedLoopComesBack) {
  LoadOptions options = Small(server_.address(), GetParam());
  options.threads = 2;
  options.pipeline = 5;
  const LoadResult result = MustRun(options);
  EXPECT_TRUE(result.EverythingCameBack());
  EXPECT_EQ(result.whole.connections_opened, 7);
  EXPECT_GT(result.counts.requests, 0);
  EXPECT_LE(result.counts.requests, result.whole.requests);
  // Each measured answer has a latency, except those at the very end.
  EXPECT_GE(result.latencies.count(),
            static_cast<std::uint64_t>(result.counts.requests));
  const std::int64_t more = GetParam() == Mode::kLine ? 9 : 0;
  EXPECT_EQ(result.whole.bytes_received, result.whole.requests * (64 + more));
  EXPECT_EQ(result.whole.bytes_sent, result.whole.requests * 64);
  const Counters total = server_.control().GetStats().total;
  EXPECT_EQ(total.bytes_received, result.whole.bytes_sent);
  EXPECT_EQ(total.bytes_sent, result.whole.bytes_received);
}

TEST_P(LoadRunTest, RequestsMayBeLargerThanAnyBuffer) {
  LoadOptions options = Small(server_.address(), GetParam());
  options.request_bytes = GetParam() == Mode::kLine ? 65'536 : 3'000'001;
  options.pipeline = 3;
  const LoadResult result = MustRun(options);
  EXPECT_TRUE(result.EverythingCameBack());
  EXPECT_GE(result.whole.requests, 7 * 3);
}

TEST_P(LoadRunTest, ReconnectsAfterSoManyRequests) {
  LoadOptions options = Small(server_.address(), GetParam());
  options.requests_per_connection = 3;
  options.pipeline = 2;
  const LoadResult result = MustRun(options);
  EXPECT_TRUE(result.EverythingCameBack());
  EXPECT_GT(result.whole.connections_opened, 7);
  // Three per connection, except those cut short by the end.
  EXPECT_LE(result.whole.requests, 3 * result.whole.connections_opened);
  EXPECT_GE(result.whole.requests, 3 * (result.whole.connections_opened - 7));
}

TEST_P(LoadRunTest, ReconnectsAtARate) {
  for (const double request_rate : {0.0, 100.0}) {
    LoadOptions options = Small(server_.address(), GetParam());
    options.threads = 2;
    options.pipeline = 2;
    options.rate = request_rate;
    options.reconnect_rate = 200;
    const LoadResult result = MustRun(options);
    EXPECT_TRUE(result.EverythingCameBack());
    // In a tenth of a second twenty are due.
    EXPECT_GT(result.whole.connections_opened, 7);
    EXPECT_LE(static_cast<double>(result.whole.connections_opened),
              7 + 200 * absl::ToDoubleSeconds(result.measured +
                                              absl::Milliseconds(20)));
  }
}

TEST_P(LoadRunTest, AnOpenLoopKeepsItsRate) {
  LoadOptions options = Small(server_.address(), GetParam());
  options.threads = 2;
  options.rate = 1000;
  // Depends on getting enough CPU time, so a single run may miss it.
  EXPECT_TRUE(Eventually([&] {
    const LoadResult result = MustRun(options);
    EXPECT_TRUE(result.EverythingCameBack());
    EXPECT_LE(static_cast<double>(result.whole.requests),
              1000 * absl::ToDoubleSeconds(result.measured + absl::Seconds(1)));
    // As many as were due by the end, which may be slightly late.
    return result.whole.requests >= 99;
  }));
}

TEST_P(LoadRunTest, AnswersAreRecordedInTheCurrentSeries) {
  // Series 1 until it has answers, then none.
  class Switch final : public LoadObserver {
   public:
    explicit Switch(TestServer& server) : server_(server) {}
    const std::atomic<int>& current() const { return current_; }
    void OnMeasuring() override {
      current_.store(1);
      WaitForAnswersOf(200);
      current_.store(-1);
      WaitForAnswersOf(400);
    }

   private:
    void WaitForAnswersOf(std::int64_t requests) {
      const std::int64_t end = Received() + requests * 64;
      EXPECT_TRUE(Eventually([&] { return Received() >= end; }));
    }
    std::int64_t Received() {
      return server_.control().GetStats().total.bytes_received;
    }
    TestServer& server_;
    std::atomic<int> current_{0};
  };
  Switch series(server_);
  LoadOptions options = Small(server_.address(), GetParam());
  options.threads = 2;
  options.series = 3;
  options.current_series = &series.current();
  const absl::StatusOr<LoadResult> result = RunLoad(options, series);
  ASSERT_TRUE(result.ok()) << result.status();
  ASSERT_EQ(result->series.size(), 3u);
  EXPECT_GT(result->series[1].count(), 100u);
  EXPECT_LT(result->series[1].count(), result->latencies.count() - 100);
  EXPECT_EQ(result->series[2].count(), 0u);
}

TEST_P(LoadRunTest, WhereRequestsAreLimitedAllConnectionsTakeTurns) {
  class Look final : public LoadObserver {
   public:
    explicit Look(TestServer& server) : server_(server) {}
    void OnMeasured() override {
      const absl::StatusOr<ConnectionPage> page = server_.List({});
      for (const ConnectionInfo& each : page->connections) {
        received.push_back(each.bytes_received);
      }
    }
    std::vector<std::int64_t> received;

   private:
    TestServer& server_;
  };
  LoadOptions options = Small(server_.address(), GetParam());
  options.threads = 2;
  options.pipeline = 2;
  options.in_flight = 2;
  Look look(server_);
  const absl::StatusOr<LoadResult> result = RunLoad(options, look);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_TRUE(result->EverythingCameBack());
  ASSERT_EQ(look.received.size(), 7u);
  // A thread's connections differ by a round, and the threads more.
  const auto [least, most] =
      std::minmax_element(look.received.begin(), look.received.end());
  EXPECT_GT(*least, 0);
  EXPECT_GT(*least, *most / 10);
}

INSTANTIATE_TEST_SUITE_P(EachMode, LoadRunTest,
                         ::testing::Values(Mode::kLine, Mode::kRaw),
                         [](const auto& param) {
                           return param.param == Mode::kLine ? "Line" : "Raw";
                         });

}  // namespace
}  // namespace echod::load
