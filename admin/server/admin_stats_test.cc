// SPDX-License-Identifier: Apache-2.0

// Statistics, as a client of the admin plane sees them.

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "admin/server/admin_server.h"
#include "admin/testing/admin_server_fixture.h"
#include "admin/testing/fake_data_plane.h"
#include "echo/base/histogram.h"
#include "echo/control/control_error.h"
#include "echo/control/stats.h"
#include "echod/admin/v1/admin.grpc.pb.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "gtest/gtest.h"
#include "src/proto/grpc/health/v1/health.grpc.pb.h"

namespace echod {
namespace {

using Stub = admin::v1::AdminService::Stub;

class AdminStatsTest : public AdminServerTest {};

TEST_F(AdminStatsTest, ConvertsStats) {
  data_plane_.server.stats_since_reset.total.accepted = 3;
  data_plane_.server.stats_since_reset.total
      .closed[static_cast<std::size_t>(CloseReason::kIdleTimeout)] = 2;
  data_plane_.server.stats_since_reset.listeners["a"].lines_echoed = 7;
  data_plane_.server.stats_since_reset.workers.resize(2);
  data_plane_.server.stats_since_reset.workers[1].read_pauses = 9;
  data_plane_.server.stats_since_reset.log_lines_dropped = 5;
  admin::v1::Stats stats;
  ASSERT_TRUE(Call(&Stub::GetStats, admin::v1::GetStatsRequest(), &stats).ok());
  EXPECT_EQ(stats.total().connections_accepted_total(), 3);
  EXPECT_EQ(stats.total().connections_closed_total().at("idle_timeout"), 2);
  EXPECT_EQ(stats.total().connections_closed_total_size(),
            static_cast<int>(kCloseReasonCount));
  EXPECT_EQ(stats.listeners().at("listeners/a").lines_echoed_total(), 7);
  EXPECT_EQ(stats.workers(1).worker(), 1);
  EXPECT_EQ(stats.workers(1).counters().read_pauses_total(), 9);
  EXPECT_EQ(stats.log_lines_dropped_total(), 5);
}

TEST_F(AdminStatsTest, ConvertsHistograms) {
  Stats& stats = data_plane_.server.stats_since_reset;
  stats.workers.resize(2);
  stats.loop_lag.resize(2, FigureHistogram());
  stats.loop_lag[1].Record(5);
  // 1 to 1,000 us, and hours.
  for (std::uint64_t i = 1; i <= 1000; ++i) {
    stats.total.echo_latency.Record(i * 1000);
    stats.total.connection_duration.Record(i * 3'600'000'000);
  }
  const auto micros = [](const google::protobuf::Duration& duration) {
    return static_cast<double>(duration.seconds()) * 1e6 +
           static_cast<double>(duration.nanos()) / 1e3;
  };
  // At most 1/16 above the truth.
  const auto is = [&](const google::protobuf::Duration& told, double truth) {
    return micros(told) >= truth && micros(told) <= truth * 17 / 16;
  };
  admin::v1::GetStatsRequest request;
  admin::v1::Stats read;
  ASSERT_TRUE(Call(&Stub::GetStats, request, &read).ok());
  const admin::v1::Histogram& latency = read.total().echo_latency();
  EXPECT_EQ(latency.count(), 1000);
  EXPECT_DOUBLE_EQ(latency.sum_seconds(), 0.5005);
  EXPECT_TRUE(is(latency.p50(), 500)) << latency.DebugString();
  EXPECT_TRUE(is(latency.p90(), 900)) << latency.DebugString();
  EXPECT_TRUE(is(latency.p99(), 990)) << latency.DebugString();
  EXPECT_TRUE(is(latency.p999(), 999)) << latency.DebugString();
  EXPECT_TRUE(is(latency.max(), 1000)) << latency.DebugString();
  EXPECT_EQ(latency.buckets_size(), 0);
  EXPECT_TRUE(is(read.total().connection_duration().p50(), 500 * 3.6e9));
  EXPECT_EQ(read.workers(0).loop_lag().count(), 0);
  EXPECT_FALSE(read.workers(0).loop_lag().has_max());
  EXPECT_EQ(read.workers(1).loop_lag().max().nanos(), 5);

  request.set_view(admin::v1::STATS_VIEW_FULL);
  ASSERT_TRUE(Call(&Stub::GetStats, request, &read).ok());
  std::int64_t count = 0;
  double bound = 0;
  for (const auto& bucket : read.total().echo_latency().buckets()) {
    EXPECT_GT(bucket.count(), 0);
    EXPECT_GT(micros(bucket.upper_bound()), bound);
    bound = micros(bucket.upper_bound());
    count += bucket.count();
    // As many as there are up to here.
    EXPECT_NEAR(static_cast<double>(count), std::min(bound, 1000.0), 1);
    if (count < 1000) continue;
    EXPECT_EQ(bound, micros(read.total().echo_latency().max()));
  }
  EXPECT_EQ(count, 1000);

  request.set_view(static_cast<admin::v1::StatsView>(9));
  EXPECT_EQ(Field(Call(&Stub::GetStats, request, &read)), "view");
}

TEST_F(AdminStatsTest, ResetsStats) {
  data_plane_.server.stats_since_reset.total.accepted = 3;
  data_plane_.server.stats_since_reset.total.echo_latency.Record(5);
  data_plane_.server.after_reset.reset_time = absl::FromUnixSeconds(2000);
  admin::v1::ResetStatsRequest reset;
  reset.set_view(static_cast<admin::v1::StatsView>(9));
  admin::v1::Stats stats;
  EXPECT_EQ(Field(Call(&Stub::ResetStats, reset, &stats)), "view");
  ASSERT_TRUE(Call(&Stub::GetStats, admin::v1::GetStatsRequest(), &stats).ok());
  EXPECT_EQ(stats.total().connections_accepted_total(), 3);
  EXPECT_FALSE(stats.has_reset_time());
  EXPECT_EQ(stats.admin().connections_accepted_total(), 1);
  EXPECT_EQ(stats.admin().connections_active(), 1);

  reset.set_view(admin::v1::STATS_VIEW_FULL);
  ASSERT_TRUE(Call(&Stub::ResetStats, reset, &stats).ok());
  EXPECT_EQ(stats.total().connections_accepted_total(), 3);
  EXPECT_EQ(stats.total().echo_latency().buckets_size(), 1);
  EXPECT_EQ(stats.admin().connections_accepted_total(), 1);
  EXPECT_EQ(stats.admin().connections_active(), 1);

  ASSERT_TRUE(Call(&Stub::GetStats, admin::v1::GetStatsRequest(), &stats).ok());
  EXPECT_EQ(stats.total().connections_accepted_total(), 0);
  EXPECT_EQ(stats.reset_time().seconds(), 2000);
  EXPECT_EQ(stats.admin().connections_accepted_total(), 0);
  EXPECT_EQ(stats.admin().connections_active(), 1);
}

// gRPC clients accept 4 MB, unless they are told otherwise.
TEST_F(AdminStatsTest, AllBucketsOfManyListenersFitIntoAMessage) {
  Histogram full = FigureHistogram();
  for (std::size_t i = 0; i < kFigureBuckets.size(); ++i) {
    full.Record(kFigureBuckets.HighestAt(i), 1 << 27);
  }
  Counters counters;
  counters.echo_latency = full;
  counters.connection_duration = full;
  Stats& stats = data_plane_.server.stats_since_reset;
  stats.total = counters;
  stats.workers.resize(2, counters);
  stats.loop_lag.resize(2, full);
  for (int i = 0; i < 128; ++i) {
    stats.listeners[absl::StrCat("listener-", i)] = counters;
  }
  admin::v1::GetStatsRequest request;
  request.set_view(admin::v1::STATS_VIEW_FULL);
  admin::v1::Stats read;
  const grpc::Status status = Call(&Stub::GetStats, request, &read);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(read.listeners()
                .at("listeners/listener-127")
                .echo_latency()
                .buckets_size(),
            static_cast<int>(kFigureBuckets.size()));
  request.set_view(admin::v1::STATS_VIEW_BASIC);
  ASSERT_TRUE(Call(&Stub::GetStats, request, &read).ok());
  EXPECT_LT(read.ByteSizeLong(), 200'000u);
}

}  // namespace
}  // namespace echod
