// SPDX-License-Identifier: Apache-2.0

// The admin API of the real program, with the generated client.

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/byte_buffer.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <future>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "echo/base/socket_address.h"
#include "gtest/gtest.h"
#include "tests/e2e/admin_client.h"
#include "tests/support/conversation.h"
#include "tests/support/eventually.h"
#include "tests/support/server_process.h"
#include "tests/support/tcp_client.h"

namespace echod::e2e {
namespace {

using testing::Echoes;
using testing::Eventually;
using testing::ServerProcess;
using testing::TcpClient;
using End = TcpClient::End;
using Stub = AdminClient::Stub;

TEST(AdminTest, TellsWhatRuns) {
  const ServerProcess server({"--workers=2", "--max_line_bytes=1000"});
  AdminClient admin(server);
  admin::v1::Server info;
  ASSERT_TRUE(
      admin.Call(&Stub::GetServer, admin::v1::GetServerRequest(), &info).ok());
  EXPECT_EQ(info.name(), "server");
  EXPECT_FALSE(info.version().empty());
  EXPECT_EQ(info.state(), admin::v1::Server::STATE_SERVING);
  EXPECT_EQ(info.worker_count(), 2);
  EXPECT_EQ(info.pid(), server.pid());
  EXPECT_EQ(info.config().at("max_line_bytes"), "1000");
  EXPECT_EQ(info.config().at("mode"), "line");
  EXPECT_GT(info.start_time().seconds(), 0);
}

TEST(AdminTest, ShowsThePodThatItRunsIn) {
  const auto in_pod = [](const char* ip) {
    return [ip] {
      setenv("POD_NAME", "echod-7d4b9-x2x1z", 1);
      setenv("POD_NAMESPACE", "production", 1);
      setenv("NODE_NAME", "node-1.example.com", 1);
      setenv("POD_IP", ip, 1);
    };
  };
  const auto pod_of = [](const ServerProcess& server) {
    admin::v1::Server info;
    EXPECT_TRUE(
        AdminClient(server)
            .Call(&Stub::GetServer, admin::v1::GetServerRequest(), &info)
            .ok());
    return info.has_pod() ? info.pod().ShortDebugString() : "none";
  };
  EXPECT_EQ(pod_of(ServerProcess()), "none");
  EXPECT_EQ(pod_of(ServerProcess(
                ServerProcess::Options{.in_child = in_pod("10.244.0.7")})),
            "name: \"echod-7d4b9-x2x1z\" namespace: \"production\" node_name: "
            "\"node-1.example.com\" ip: \"10.244.0.7\"");
  // What cannot be right is not shown, and does not keep echod from running.
  EXPECT_EQ(pod_of(ServerProcess(
                ServerProcess::Options{.in_child = in_pod("$(POD_IP)")})),
            "name: \"echod-7d4b9-x2x1z\" namespace: \"production\" node_name: "
            "\"node-1.example.com\"");
}

TEST(AdminTest, CountsExactly) {
  const ServerProcess server;
  AdminClient admin(server);
  TcpClient first = server.Connect();
  ASSERT_TRUE(Echoes(first, "one") && Echoes(first, "two"));
  first.FinishSending();
  ASSERT_EQ(first.WaitForEnd(), End::kEof);
  TcpClient second = server.Connect();
  ASSERT_TRUE(Echoes(second, "three"));
  // The client may receive an answer before the server counts it.
  ASSERT_TRUE(Eventually([&] {
    return admin.Stats().total().bytes_sent_total() >= 13 + 13 + 15;
  }));
  const admin::v1::Stats stats = admin.Stats();
  for (const admin::v1::Counters& counters :
       {stats.total(), stats.listeners().at("listeners/default")}) {
    EXPECT_EQ(counters.connections_accepted_total(), 2);
    EXPECT_EQ(counters.connections_active(), 1);
    EXPECT_EQ(counters.connections_closed_total().at("peer_closed"), 1);
    EXPECT_EQ(counters.bytes_received_total(), 4 + 4 + 6);
    EXPECT_EQ(counters.bytes_sent_total(), 13 + 13 + 15);
    EXPECT_EQ(counters.lines_echoed_total(), 3);
    EXPECT_EQ(counters.bytes_buffered(), 0);
  }
  std::int64_t lines = 0;
  for (const admin::v1::WorkerStats& worker : stats.workers()) {
    lines += worker.counters().lines_echoed_total();
  }
  EXPECT_EQ(lines, 3);
}

TEST(AdminTest, MeasuresAndResets) {
  const ServerProcess server;
  AdminClient admin(server);
  TcpClient gone = server.Connect();
  ASSERT_TRUE(Echoes(gone, "one"));
  gone.FinishSending();
  ASSERT_EQ(gone.WaitForEnd(), End::kEof);
  TcpClient client = server.Connect();
  ASSERT_TRUE(Echoes(client, "two"));
  ASSERT_TRUE(Eventually([&] {
    const admin::v1::Stats stats = admin.Stats();
    return stats.total().echo_latency().count() == 2 &&
           stats.total().connection_duration().count() == 1 &&
           stats.workers(0).loop_lag().count() > 0;
  }));
  admin::v1::GetStatsRequest request;
  request.set_view(admin::v1::STATS_VIEW_FULL);
  admin::v1::Stats stats;
  ASSERT_TRUE(admin.Call(&Stub::GetStats, request, &stats).ok());
  for (const admin::v1::Histogram& histogram :
       {stats.total().echo_latency(),
        stats.listeners().at("listeners/default").connection_duration(),
        stats.workers(0).loop_lag()}) {
    EXPECT_GT(histogram.sum_seconds(), 0);
    EXPECT_TRUE(histogram.has_p99());
    EXPECT_GT(histogram.buckets_size(), 0);
  }

  ASSERT_TRUE(
      admin.Call(&Stub::ResetStats, admin::v1::ResetStatsRequest(), &stats)
          .ok());
  EXPECT_EQ(stats.total().lines_echoed_total(), 2);
  stats = admin.Stats();
  EXPECT_TRUE(stats.has_reset_time());
  EXPECT_EQ(stats.total().lines_echoed_total(), 0);
  EXPECT_EQ(stats.total().echo_latency().count(), 0);
  EXPECT_EQ(stats.total().connections_active(), 1);
  ASSERT_TRUE(Echoes(client, "three"));
  EXPECT_TRUE(Eventually(
      [&] { return admin.Stats().total().echo_latency().count() == 1; }));
}

TEST(AdminTest, PagesThroughConnections) {
  const ServerProcess server;
  AdminClient admin(server);
  constexpr int kConnections = 250;
  std::vector<TcpClient> clients;
  for (int i = 0; i < kConnections; ++i) {
    clients.push_back(server.Connect());
    ASSERT_TRUE(Echoes(clients.back(), "in"));
  }
  admin::v1::ListConnectionsRequest request;
  request.set_page_size(100);
  std::vector<std::string> names;
  std::vector<int> sizes;
  do {
    admin::v1::ListConnectionsResponse page;
    ASSERT_TRUE(admin.Call(&Stub::ListConnections, request, &page).ok());
    EXPECT_EQ(page.total_size(), kConnections);
    sizes.push_back(page.connections_size());
    for (const auto& each : page.connections()) {
      names.push_back(each.name());
      EXPECT_FALSE(each.has_tcp_info());
    }
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  EXPECT_EQ(sizes, std::vector<int>({100, 100, 50}));
  for (int i = 0; i < kConnections; ++i) {
    EXPECT_EQ(names[static_cast<std::size_t>(i)],
              absl::StrCat("connections/", i + 1));
  }

  request.set_page_token("made up");
  admin::v1::ListConnectionsResponse page;
  const grpc::Status bad = admin.Call(&Stub::ListConnections, request, &page);
  EXPECT_EQ(bad.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(Field(bad), "page_token");
}

TEST(AdminTest, ShowsAndClosesOneConnection) {
  const ServerProcess server;
  AdminClient admin(server);
  TcpClient client = server.Connect();
  ASSERT_TRUE(Echoes(client, "one"));
  admin::v1::GetConnectionRequest get;
  get.set_name("connections/1");
  admin::v1::Connection connection;
  ASSERT_TRUE(admin.Call(&Stub::GetConnection, get, &connection).ok());
  EXPECT_EQ(connection.remote_address(), client.local().ToString());
  EXPECT_EQ(connection.local_address(), server.echo_address().ToString());
  EXPECT_EQ(connection.listener(), "listeners/default");
  EXPECT_EQ(connection.bytes_received(), 4);
  EXPECT_EQ(connection.bytes_sent(), 13);
  EXPECT_TRUE(connection.has_tcp_info());

  admin::v1::CloseConnectionRequest close;
  close.set_name("connections/1");
  ASSERT_TRUE(admin.Call(&Stub::CloseConnection, close, &connection).ok());
  EXPECT_EQ(client.WaitForEnd(), End::kEof);

  TcpClient another = server.Connect();
  ASSERT_TRUE(Echoes(another, "two"));
  close.set_name("connections/2");
  close.set_mode(admin::v1::CloseConnectionRequest::MODE_RESET);
  ASSERT_TRUE(admin.Call(&Stub::CloseConnection, close, &connection).ok());
  EXPECT_EQ(another.WaitForEnd(), End::kReset);

  const grpc::Status gone =
      admin.Call(&Stub::CloseConnection, close, &connection);
  EXPECT_EQ(gone.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(Reason(gone), "CONNECTION_NOT_FOUND");
  get.set_name("connections/seven");
  const grpc::Status bad = admin.Call(&Stub::GetConnection, get, &connection);
  EXPECT_EQ(bad.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(Field(bad), "name");
}

// gRPC itself answers these; see docs/admin_api.md.
TEST(AdminTest, RequestsThatAreNoMessageAreUnimplemented) {
  const ServerProcess server;
  const AdminClient admin(server);
  grpc::GenericStub stub(admin.channel());
  grpc::ClientContext context;
  grpc::Slice slice("\xff\xff\xff");
  const grpc::ByteBuffer request(&slice, 1);
  grpc::ByteBuffer response;
  std::promise<grpc::Status> answer;
  stub.UnaryCall(&context, "/echod.admin.v1.AdminService/GetConnection", {},
                 &request, &response, [&](grpc::Status status) {
                   answer.set_value(std::move(status));
                 });
  const grpc::Status status = answer.get_future().get();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNIMPLEMENTED);
  EXPECT_EQ(status.error_details(), "");
}

// Admin clients take at most a quarter of the descriptors, and when they leave,
// new ones are served. gRPC's own listener would never accept again.
TEST(AdminTest, ACrowdLeavesDescriptorsToEchoClients) {
  const ServerProcess server(
      {.flags = {"--workers=1"}, .descriptor_limit = 64});
  const SocketAddress address = *SocketAddress::Parse(server.admin_address());
  std::vector<TcpClient> crowd;
  // More than the descriptors allow.
  for (int i = 0; i < 64; ++i) {
    crowd.push_back(*TcpClient::Connect(address));
  }
  TcpClient echo = server.Connect();
  EXPECT_TRUE(Echoes(echo, "in the crowd"));
  crowd.clear();
  AdminClient admin(server);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::seconds(30));
  // The server may not have noticed all closes yet.
  context.set_wait_for_ready(true);
  admin::v1::Server answer;
  const grpc::Status status =
      admin.stub().GetServer(&context, admin::v1::GetServerRequest(), &answer);
  EXPECT_TRUE(status.ok()) << status.error_message();
}

TEST(AdminTest, WatchesStats) {
  const ServerProcess server;
  AdminClient admin(server);
  grpc::ClientContext context;
  admin::v1::WatchStatsRequest request;
  request.mutable_interval()->set_nanos(100'000'000);
  auto watch = admin.stub().WatchStats(&context, request);
  admin::v1::Stats stats;
  ASSERT_TRUE(watch->Read(&stats));
  EXPECT_EQ(stats.total().lines_echoed_total(), 0);
  TcpClient client = server.Connect();
  ASSERT_TRUE(Echoes(client, "one"));
  while (stats.total().lines_echoed_total() == 0) {
    ASSERT_TRUE(watch->Read(&stats));
  }
  context.TryCancel();
  EXPECT_EQ(watch->Finish().error_code(), grpc::StatusCode::CANCELLED);
}

}  // namespace
}  // namespace echod::e2e
