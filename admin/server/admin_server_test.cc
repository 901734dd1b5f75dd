// SPDX-License-Identifier: Apache-2.0

// The admin plane from a client's view: a real server on an ephemeral port,
// with a fake data plane.

#include "admin/server/admin_server.h"

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
#include "admin/testing/fake_data_plane.h"
#include "echo/base/histogram.h"
#include "echo/control/control_error.h"
#include "echo/control/stats.h"
#include "echod/admin/v1/admin.grpc.pb.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "gtest/gtest.h"
#include "src/proto/grpc/health/v1/health.grpc.pb.h"
#include "tests/support/eventually.h"

namespace echod {
namespace {

using testing::Eventually;
using Stub = admin::v1::AdminService::Stub;

class AdminServerTest : public ::testing::Test {
 protected:
  AdminServerTest() {
    for (const char* id : {"a", "b", "c"}) {
      data_plane_.listeners.infos[id] = {
          .id = id, .address = "::", .etag = "e-1"};
    }
    for (std::uint64_t number = 1; number <= 5; ++number) {
      data_plane_.connections.infos[number] = {.number = number,
                                               .listener_id = "a",
                                               .remote_address = "[::1]:7",
                                               .tcp_info = TcpInfo()};
    }
    data_plane_.server.info = {.start_time = absl::FromUnixSeconds(1000),
                               .state = ServerInfo::State::kServing,
                               .worker_count = 3};
    auto started = AdminServer::Start(
        {.address = "127.0.0.1:0",
         .description = {.version = "1.2.3",
                         .hostname = "here",
                         .config =
                             [] {
                               return ServerConfig{.flags = {{"mode", "line"}},
                                                   .running = "mode: line\n"};
                             }}},
        data_plane_.AsDataPlane());
    EXPECT_TRUE(started.ok()) << started.status();
    server_ = *std::move(started);
    channel_ = grpc::CreateChannel(server_->bound_address(),
                                   grpc::InsecureChannelCredentials());
    stub_ = admin::v1::AdminService::NewStub(channel_);
  }

  static void SetDeadline(grpc::ClientContext& context) {
    context.set_deadline(std::chrono::system_clock::now() +
                         std::chrono::seconds(30));
  }

  template <typename Request, typename Response>
  grpc::Status Call(grpc::Status (Stub::*method)(grpc::ClientContext*,
                                                 const Request&, Response*),
                    const Request& request, Response* response) {
    grpc::ClientContext context;
    SetDeadline(context);
    return (stub_.get()->*method)(&context, request, response);
  }

  grpc::health::v1::HealthCheckResponse::ServingStatus Health(
      const std::string& service) {
    auto health = grpc::health::v1::Health::NewStub(channel_);
    grpc::ClientContext context;
    SetDeadline(context);
    grpc::health::v1::HealthCheckRequest request;
    request.set_service(service);
    grpc::health::v1::HealthCheckResponse response;
    EXPECT_TRUE(health->Check(&context, request, &response).ok());
    return response.status();
  }

  static google::rpc::ErrorInfo Info(const grpc::Status& status) {
    google::rpc::Status rich;
    EXPECT_TRUE(rich.ParseFromString(status.error_details()));
    EXPECT_EQ(rich.code(), static_cast<int>(status.error_code()));
    google::rpc::ErrorInfo info;
    EXPECT_TRUE(rich.details_size() > 0 && rich.details(0).UnpackTo(&info));
    EXPECT_EQ(info.domain(), "echod");
    return info;
  }

  static std::string Field(const grpc::Status& status) {
    google::rpc::Status rich;
    EXPECT_TRUE(rich.ParseFromString(status.error_details()));
    google::rpc::BadRequest bad;
    EXPECT_TRUE(rich.details_size() == 2 && rich.details(1).UnpackTo(&bad));
    return bad.field_violations(0).field();
  }

  FakeDataPlane data_plane_;
  std::unique_ptr<AdminServer> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<Stub> stub_;
};

TEST_F(AdminServerTest, DescribesTheServer) {
  admin::v1::Server server;
  ASSERT_TRUE(
      Call(&Stub::GetServer, admin::v1::GetServerRequest(), &server).ok());
  EXPECT_EQ(server.version(), "1.2.3");
  EXPECT_EQ(server.hostname(), "here");
  EXPECT_EQ(server.config().at("mode"), "line");
  EXPECT_EQ(server.running_config(), "mode: line\n");
  EXPECT_EQ(server.start_time().seconds(), 1000);
  EXPECT_EQ(server.worker_count(), 3);
  EXPECT_EQ(server.state(), admin::v1::Server::STATE_SERVING);
}

TEST_F(AdminServerTest, ConvertsStats) {
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

TEST_F(AdminServerTest, ConvertsHistograms) {
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

TEST_F(AdminServerTest, ResetsStats) {
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
TEST_F(AdminServerTest, AllBucketsOfManyListenersFitIntoAMessage) {
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

TEST_F(AdminServerTest, PagesThroughListeners) {
  admin::v1::ListListenersRequest request;
  request.set_page_size(2);
  admin::v1::ListListenersResponse page;
  ASSERT_TRUE(Call(&Stub::ListListeners, request, &page).ok());
  ASSERT_EQ(page.listeners_size(), 2);
  EXPECT_EQ(page.listeners(1).name(), "listeners/b");
  EXPECT_EQ(page.total_size(), 3);
  request.set_page_token(page.next_page_token());
  ASSERT_TRUE(Call(&Stub::ListListeners, request, &page).ok());
  ASSERT_EQ(page.listeners_size(), 1);
  EXPECT_EQ(page.listeners(0).name(), "listeners/c");
  EXPECT_EQ(page.next_page_token(), "");
}

TEST_F(AdminServerTest, APageTokenIsBoundToItsView) {
  admin::v1::ListConnectionsRequest request;
  request.set_page_size(2);
  request.set_view(admin::v1::CONNECTION_VIEW_FULL);
  admin::v1::ListConnectionsResponse page;
  ASSERT_TRUE(Call(&Stub::ListConnections, request, &page).ok());
  ASSERT_EQ(page.connections_size(), 2);
  EXPECT_TRUE(page.connections(0).has_tcp_info());
  EXPECT_EQ(page.total_size(), 5);
  request.set_page_token(page.next_page_token());
  ASSERT_TRUE(Call(&Stub::ListConnections, request, &page).ok());
  EXPECT_EQ(page.connections(0).name(), "connections/3");
  request.set_view(admin::v1::CONNECTION_VIEW_BASIC);
  const grpc::Status changed = Call(&Stub::ListConnections, request, &page);
  EXPECT_EQ(Field(changed), "page_token");
  request.clear_page_token();
  request.set_page_size(-1);
  EXPECT_EQ(Field(Call(&Stub::ListConnections, request, &page)), "page_size");
  request.set_view(static_cast<admin::v1::ConnectionView>(9));
  EXPECT_EQ(Field(Call(&Stub::ListConnections, request, &page)), "view");
}

TEST_F(AdminServerTest, NotFoundSaysWhatIsNotThere) {
  admin::v1::GetListenerRequest get;
  get.set_name("listeners/z");
  admin::v1::Listener listener;
  const grpc::Status status = Call(&Stub::GetListener, get, &listener);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(Info(status).reason(), "LISTENER_NOT_FOUND");
}

TEST_F(AdminServerTest, AFailedUpdateKeepsItsCodeReasonAndErrno) {
  data_plane_.listeners.update_error =
      ControlError(absl::StatusCode::kFailedPrecondition, "taken",
                   {.reason = "ADDRESS_IN_USE", .errno_name = "EADDRINUSE"});
  admin::v1::UpdateListenerRequest request;
  request.mutable_listener()->set_name("listeners/a");
  request.set_validate_only(true);
  admin::v1::Listener listener;
  const grpc::Status status = Call(&Stub::UpdateListener, request, &listener);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(status.error_message(), "taken");
  EXPECT_EQ(Info(status).reason(), "ADDRESS_IN_USE");
  EXPECT_EQ(Info(status).metadata().at("errno"), "EADDRINUSE");
  EXPECT_TRUE(data_plane_.listeners.last_update()->validate_only);

  data_plane_.listeners.update_error = InvalidFieldError("port", "no port");
  EXPECT_EQ(Field(Call(&Stub::UpdateListener, request, &listener)),
            "listener.port");
}

TEST_F(AdminServerTest, AnErrorFitsIntoTrailersHoweverLongTheRequest) {
  std::string name;
  for (int i = 0; i < 30'000; ++i) name += "\u00e4";
  admin::v1::GetListenerRequest get;
  get.set_name(name);
  admin::v1::Listener listener;
  const grpc::Status status = Call(&Stub::GetListener, get, &listener);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_LT(status.error_message().size(), 1010u);
  EXPECT_EQ(Field(status), "name");
}

TEST_F(AdminServerTest, ClosesByTheModeAskedFor) {
  admin::v1::CloseConnectionRequest request;
  request.set_name("connections/2");
  admin::v1::Connection connection;
  ASSERT_TRUE(Call(&Stub::CloseConnection, request, &connection).ok());
  EXPECT_EQ(data_plane_.connections.last_close(), CloseMode::kGraceful);
  request.set_mode(admin::v1::CloseConnectionRequest::MODE_RESET);
  ASSERT_TRUE(Call(&Stub::CloseConnection, request, &connection).ok());
  EXPECT_EQ(data_plane_.connections.last_close(), CloseMode::kReset);
  request.set_mode(static_cast<admin::v1::CloseConnectionRequest::Mode>(9));
  EXPECT_EQ(Field(Call(&Stub::CloseConnection, request, &connection)), "mode");
}

TEST_F(AdminServerTest, DrainsWithTheTimesAskedFor) {
  admin::v1::DrainServerRequest request;
  request.mutable_deadline()->set_seconds(-1);
  admin::v1::Server server;
  EXPECT_EQ(Field(Call(&Stub::DrainServer, request, &server)), "deadline");
  request.mutable_deadline()->set_seconds(366 * 24 * 3600);
  EXPECT_EQ(Field(Call(&Stub::DrainServer, request, &server)), "deadline");
  request.mutable_deadline()->set_seconds(7);
  ASSERT_TRUE(Call(&Stub::DrainServer, request, &server).ok());
  EXPECT_EQ(server.state(), admin::v1::Server::STATE_DRAINING);
  EXPECT_EQ(data_plane_.server.last_drain()->deadline, absl::Seconds(7));
  EXPECT_FALSE(data_plane_.server.last_drain()->grace_period.has_value());
  const grpc::Status again = Call(&Stub::DrainServer, request, &server);
  EXPECT_EQ(again.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(Info(again).reason(), "SERVER_DRAINING");
}

TEST_F(AdminServerTest, AReplyThatIsDroppedAnswersUnavailable) {
  data_plane_.connections.hold_replies = true;
  std::thread dropper([&] {
    while (!data_plane_.connections.has_held_replies())
      std::this_thread::yield();
    data_plane_.connections.TakeHeldReplies().clear();
  });
  admin::v1::GetConnectionRequest request;
  request.set_name("connections/1");
  admin::v1::Connection connection;
  const grpc::Status status = Call(&Stub::GetConnection, request, &connection);
  dropper.join();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(Info(status).reason(), "SERVER_STOPPED");
}

TEST_F(AdminServerTest, AReplyMayComeAfterItsCallerHasGivenUp) {
  data_plane_.connections.hold_replies = true;
  grpc::ClientContext context;
  std::thread caller([&] {
    admin::v1::GetConnectionRequest request;
    request.set_name("connections/1");
    admin::v1::Connection connection;
    EXPECT_EQ(stub_->GetConnection(&context, request, &connection).error_code(),
              grpc::StatusCode::CANCELLED);
  });
  while (!data_plane_.connections.has_held_replies()) std::this_thread::yield();
  context.TryCancel();
  caller.join();
  for (Reply<ConnectionInfo>& reply :
       data_plane_.connections.TakeHeldReplies()) {
    reply(ConnectionInfo());
  }
}

TEST_F(AdminServerTest, HealthFollowsTheStartAndADrain) {
  using grpc::health::v1::HealthCheckResponse;
  const char* const services[] = {"", "echod.admin.v1.AdminService"};
  for (const char* service : services) {
    EXPECT_EQ(Health(service), HealthCheckResponse::NOT_SERVING);
  }
  server_->StartServing();
  for (const char* service : services) {
    EXPECT_EQ(Health(service), HealthCheckResponse::SERVING);
  }
  EXPECT_EQ(server_->health().Read().serving, "");
  server_->SetDraining(/*ready=*/true);
  for (const char* service : services) {
    EXPECT_EQ(Health(service), HealthCheckResponse::NOT_SERVING);
  }
  EXPECT_EQ(server_->health().Read().serving, "echod is draining");
}

TEST_F(AdminServerTest, ATakenPortIsAnErrorThatSaysSo) {
  const absl::Status status =
      AdminServer::Start({.address = server_->bound_address()},
                         data_plane_.AsDataPlane())
          .status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(status.message().find("already in use"), std::string::npos);
}

TEST_F(AdminServerTest, AWatchBeginsAtOnceAndGoesOn) {
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

TEST_F(AdminServerTest, AWatchMayNotAskTooOften) {
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

TEST_F(AdminServerTest, AWatchShowsTheViewAskedFor) {
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

TEST_F(AdminServerTest, ShutdownEndsWatchesThatWaitForHours) {
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

TEST_F(AdminServerTest, ShutdownMayBeCalledFromSeveralThreads) {
  for (int round = 0; round < 5; ++round) {
    auto started = AdminServer::Start({.address = "127.0.0.1:0"},
                                      data_plane_.AsDataPlane());
    ASSERT_TRUE(started.ok()) << started.status();
    AdminServer& server = **started;
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&server] {
        server.Shutdown(absl::Seconds(1));
        server.OnListenersChanged();
        server.SetDraining(/*ready=*/false);
        EXPECT_NE(server.bound_address(), "");
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
}

TEST_F(AdminServerTest, ShutdownEndsAWatchWhoseReaderHasStopped) {
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
