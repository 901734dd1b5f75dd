// SPDX-License-Identifier: Apache-2.0

// Streams of statistics, and what ends them.

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

class StatsWatchTest : public AdminServerTest {};

TEST_F(StatsWatchTest, AWatchBeginsAtOnceAndGoesOn) {
  grpc::ClientContext context;
  SetDeadline(context);
  admin::v1::WatchStatsRequest request;
  request.mutable_interval()->set_nanos(100'000'000);
  auto watch = stub_->WatchStats(&context, request);
  admin::v1::Stats stats;
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(watch->Read(&stats));
  context.TryCancel();
  EXPECT_EQ(watch->Finish().error_code(), grpc::StatusCode::CANCELLED);
}

TEST_F(StatsWatchTest, AWatchMayNotAskTooOften) {
  for (const auto& [seconds, nanos] : {std::pair(0, 99'999'999), {-1, 0}}) {
    grpc::ClientContext context;
    SetDeadline(context);
    admin::v1::WatchStatsRequest request;
    request.mutable_interval()->set_seconds(seconds);
    request.mutable_interval()->set_nanos(nanos);
    auto watch = stub_->WatchStats(&context, request);
    admin::v1::Stats stats;
    EXPECT_FALSE(watch->Read(&stats));
    EXPECT_EQ(Field(watch->Finish()), "interval");
  }
}

TEST_F(StatsWatchTest, AWatchShowsTheViewAskedFor) {
  data_plane_.server.stats_since_reset.total.echo_latency.Record(1);
  for (const auto view :
       {admin::v1::STATS_VIEW_BASIC, admin::v1::STATS_VIEW_FULL,
        static_cast<admin::v1::StatsView>(9)}) {
    grpc::ClientContext context;
    SetDeadline(context);
    admin::v1::WatchStatsRequest request;
    request.set_view(view);
    auto watch = stub_->WatchStats(&context, request);
    admin::v1::Stats stats;
    if (!admin::v1::StatsView_IsValid(view)) {
      EXPECT_FALSE(watch->Read(&stats));
      EXPECT_EQ(Field(watch->Finish()), "view");
      continue;
    }
    ASSERT_TRUE(watch->Read(&stats));
    EXPECT_EQ(stats.total().echo_latency().buckets_size(),
              view == admin::v1::STATS_VIEW_FULL ? 1 : 0);
    context.TryCancel();
    EXPECT_EQ(watch->Finish().error_code(), grpc::StatusCode::CANCELLED);
  }
}

TEST_F(StatsWatchTest, ShutdownEndsWatchesThatWaitForHours) {
  grpc::ClientContext context;
  SetDeadline(context);
  admin::v1::WatchStatsRequest request;
  request.mutable_interval()->set_seconds(3600);
  auto watch = stub_->WatchStats(&context, request);
  admin::v1::Stats stats;
  ASSERT_TRUE(watch->Read(&stats));
  data_plane_.server.stats_since_reset.total.accepted = 99;
  server_->Shutdown(absl::Seconds(30));
  // The final statistics, and the end of the stream.
  ASSERT_TRUE(watch->Read(&stats));
  EXPECT_EQ(stats.total().connections_accepted_total(), 99);
  EXPECT_FALSE(watch->Read(&stats));
  EXPECT_TRUE(watch->Finish().ok());
  server_->Shutdown(absl::ZeroDuration());  // again: no effect
}

TEST_F(StatsWatchTest, ShutdownEndsAWatchWhoseReaderHasStopped) {
  // Messages large enough for flow control to block the writes.
  for (int i = 0; i < 2000; ++i) {
    data_plane_.server.stats_since_reset
        .listeners[absl::StrCat("listener-", i)] = Counters();
  }
  grpc::ClientContext context;
  SetDeadline(context);
  admin::v1::WatchStatsRequest request;
  request.mutable_interval()->set_nanos(100'000'000);
  auto watch = stub_->WatchStats(&context, request);
  admin::v1::Stats stats;
  ASSERT_TRUE(watch->Read(&stats));
  server_->Shutdown(absl::Milliseconds(100));
}

}  // namespace
}  // namespace echod
