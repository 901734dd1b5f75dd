// SPDX-License-Identifier: Apache-2.0

// The admin plane under hostile clients, and ordinary clients beside them.

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "admin/server/admin_server.h"
#include "admin/testing/fake_data_plane.h"
#include "admin/testing/http2_test_client.h"
#include "echo/base/socket_address.h"
#include "echod/admin/v1/admin.grpc.pb.h"
#include "gtest/gtest.h"
#include "tests/support/eventually.h"
#include "tests/support/tcp_client.h"

namespace echod {
namespace {

using testing::Cancel;
using testing::Eventually;
using testing::Http2Frame;
using testing::Http2Hello;
using testing::OpenCall;
using testing::TcpClient;
using End = TcpClient::End;

class AdminRelayTest : public ::testing::Test {
 protected:
  void Start(AdminServerOptions options = {}) {
    options.address = "127.0.0.1:0";
    auto started =
        AdminServer::Start(std::move(options), data_plane_.AsDataPlane());
    ASSERT_TRUE(started.ok()) << started.status();
    server_ = *std::move(started);
    stub_ = admin::v1::AdminService::NewStub(grpc::CreateChannel(
        server_->bound_address(), grpc::InsecureChannelCredentials()));
  }

  TcpClient Connect() {
    auto client =
        TcpClient::Connect(*SocketAddress::Parse(server_->bound_address()));
    EXPECT_TRUE(client.has_value());
    return *std::move(client);
  }

  static void SetDeadline(grpc::ClientContext& context) {
    context.set_deadline(std::chrono::system_clock::now() +
                         std::chrono::seconds(30));
  }

  admin::v1::AdminStats Figures() {
    grpc::ClientContext context;
    SetDeadline(context);
    admin::v1::Stats stats;
    EXPECT_TRUE(
        stub_->GetStats(&context, admin::v1::GetStatsRequest(), &stats).ok());
    return stats.admin();
  }

  std::int64_t Rejected(const std::string& reason) {
    return Figures().connections_rejected_total().at(reason);
  }

  FakeDataPlane data_plane_;
  std::unique_ptr<AdminServer> server_;
  std::unique_ptr<admin::v1::AdminService::Stub> stub_;
};

TEST_F(AdminRelayTest, CountsItsConnections) {
  Start();
  EXPECT_EQ(Figures().connections_active(), 1);
  {
    TcpClient client = Connect();
    EXPECT_TRUE(
        Eventually([&] { return Figures().connections_active() == 2; }));
  }
  EXPECT_TRUE(Eventually([&] { return Figures().connections_active() == 1; }));
  EXPECT_EQ(Figures().connections_accepted_total(), 2);
  EXPECT_EQ(Rejected("stream_resets"), 0);
}

TEST_F(AdminRelayTest, ClosesAClientThatCancelsWithoutEnd) {
  Start();
  TcpClient client = Connect();
  std::string flood = Http2Hello();
  for (std::uint32_t stream = 1; stream < 4000; stream += 2) {
    absl::StrAppend(&flood, OpenCall(stream, "GetServer"), Cancel(stream));
  }
  client.Send(flood);
  client.ReadToEnd();
  EXPECT_TRUE(Eventually([&] { return Rejected("stream_resets") == 1; }));
}

TEST_F(AdminRelayTest, ClosesAClientThatIgnoresHowManyStreamsItMayHave) {
  Start();
  TcpClient client = Connect();
  std::string flood = Http2Hello();
  for (std::uint32_t stream = 1; stream < 4000; stream += 2) {
    absl::StrAppend(&flood, OpenCall(stream, "WatchStats"));
  }
  client.Send(flood);
  client.ReadToEnd();
  EXPECT_TRUE(Eventually([&] { return Rejected("open_streams") == 1; }));
}

TEST_F(AdminRelayTest, ClosesAClientThatFloodsWithFramesThatCarryNothing) {
  Start();
  TcpClient client = Connect();
  std::string flood = Http2Hello();
  for (int i = 0; i < 2000; ++i) {
    absl::StrAppend(&flood, Http2Frame(Http2FrameType::kSettings, 0, 0));
  }
  client.Send(flood);
  client.ReadToEnd();
  EXPECT_TRUE(Eventually([&] { return Rejected("control_frames") == 1; }));
}

TEST_F(AdminRelayTest, ClosesWhatIsNotHttp2) {
  Start();
  TcpClient client = Connect();
  ASSERT_TRUE(client.Send("GET / HTTP/1.1\r\nhost: here\r\n\r\n"));
  client.ReadToEnd();
  EXPECT_TRUE(Eventually([&] { return Rejected("not_http2") == 1; }));
}

TEST_F(AdminRelayTest, ClosesAClientThatSaysNothing) {
  AdminServerOptions options;
  options.listener.relay.preface_timeout = absl::Milliseconds(50);
  Start(std::move(options));
  TcpClient client = Connect();
  ASSERT_TRUE(client.Send("PRI * HT"));
  client.ReadToEnd();
  EXPECT_TRUE(Eventually([&] { return Rejected("preface_timeout") == 1; }));
}

TEST_F(AdminRelayTest, RefusesTheConnectionThatIsOneTooMany) {
  AdminServerOptions options;
  options.listener.max_connections = 3;
  options.listener.idle_before_replaced = absl::Hours(1);
  Start(std::move(options));
  ASSERT_EQ(Figures().connections_active(), 1);
  const TcpClient first = Connect();
  const TcpClient second = Connect();
  TcpClient third = Connect();
  EXPECT_NE(third.WaitForEnd(), End::kTimeout);
  EXPECT_EQ(Rejected("max_connections"), 1);
}

// Whether the server answers a PING, and so has read what came before it.
bool AnswersPing(TcpClient& client) {
  constexpr absl::string_view kPayload = "are here";
  if (!client.Send(Http2Frame(Http2FrameType::kPing, 0, 0, kPayload))) {
    return false;
  }
  std::string received;
  while (!absl::StrContains(received, kPayload)) {
    const std::string more = client.Read(1);
    if (more.empty()) return false;
    received += more;
  }
  return true;
}

// Idle connections do not keep new clients out.
TEST_F(AdminRelayTest, ANewConnectionTakesThePlaceOfAnIdleOne) {
  AdminServerOptions options;
  options.listener.max_connections = 2;
  options.listener.idle_before_replaced = absl::ZeroDuration();
  Start(std::move(options));
  TcpClient busy = Connect();
  ASSERT_TRUE(busy.Send(absl::StrCat(Http2Hello(), OpenCall(1, "WatchStats"))));
  ASSERT_TRUE(AnswersPing(busy));
  TcpClient idle = Connect();
  ASSERT_TRUE(idle.Send(Http2Hello()));
  // It opens a connection, which is then the idle one.
  EXPECT_TRUE(Eventually([&] { return Rejected("max_connections") >= 1; }));
  EXPECT_NE(idle.WaitForEnd(), End::kTimeout);
  EXPECT_TRUE(AnswersPing(busy));
}

TEST_F(AdminRelayTest, ConnectionsThatComeFastWaitForTheirTurn) {
  AdminServerOptions options;
  options.listener.connection_interval = absl::Milliseconds(20);
  Start(std::move(options));
  ASSERT_EQ(Figures().connections_active(), 1);
  const auto begin = std::chrono::steady_clock::now();
  std::vector<TcpClient> clients;
  for (int i = 0; i < 60; ++i) clients.push_back(Connect());
  // gRPC's SETTINGS show that it has received the connection.
  for (TcpClient& client : clients) ASSERT_EQ(client.Read(9).size(), 9u);
  // A burst of 20, then one by one.
  EXPECT_GE(std::chrono::steady_clock::now() - begin,
            std::chrono::milliseconds(30 * 20));
}

TEST_F(AdminRelayTest, AClientThatNoLongerAnswersIsFoundDead) {
  AdminServerOptions options;
  options.keepalive_time = absl::Milliseconds(200);
  options.keepalive_timeout = absl::Milliseconds(200);
  Start(std::move(options));
  TcpClient client = Connect();
  ASSERT_TRUE(
      client.Send(absl::StrCat(Http2Hello(), OpenCall(1, "WatchStats"))));
  // The client reads, but answers no PING.
  TcpClient::End end;
  client.ReadToEnd(&end);
  EXPECT_NE(end, End::kTimeout);
}

TEST_F(AdminRelayTest, OrdinaryClientsAreNotTouched) {
  Start();
  // 256 streams on one connection.
  constexpr int kWatches = 256;
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
  std::vector<std::unique_ptr<grpc::ClientReader<admin::v1::Stats>>> watches;
  admin::v1::Stats stats;
  for (int i = 0; i < kWatches; ++i) {
    contexts.push_back(std::make_unique<grpc::ClientContext>());
    SetDeadline(*contexts.back());
    admin::v1::WatchStatsRequest request;
    request.mutable_interval()->set_nanos(100'000'000);
    watches.push_back(stub_->WatchStats(contexts.back().get(), request));
  }
  for (auto& watch : watches) {
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(watch->Read(&stats));
  }
  // All of them are cancelled together.
  for (auto& context : contexts) context->TryCancel();
  for (auto& watch : watches) {
    EXPECT_EQ(watch->Finish().error_code(), grpc::StatusCode::CANCELLED);
  }
  // A busy client that occasionally cancels RPCs.
  for (int i = 0; i < 2000; ++i) {
    grpc::ClientContext context;
    if (i % 20 == 0) {
      context.set_deadline(std::chrono::system_clock::now());
    } else {
      SetDeadline(context);
    }
    admin::v1::Server server;
    const grpc::Status status =
        stub_->GetServer(&context, admin::v1::GetServerRequest(), &server);
    ASSERT_TRUE(status.ok() || i % 20 == 0) << status.error_message();
  }
  const admin::v1::AdminStats figures = Figures();
  EXPECT_EQ(figures.connections_accepted_total(), 1);
  for (const auto& [reason, count] : figures.connections_rejected_total()) {
    EXPECT_EQ(count, 0) << reason;
  }
}

TEST_F(AdminRelayTest, AClientThatDoesNotReadHoldsNobodyUp) {
  for (int i = 0; i < 200; ++i) {
    data_plane_.server.stats_since_reset
        .listeners[absl::StrCat("listener-", i)] = Counters();
  }
  Start();
  TcpClient client = Connect();
  std::string calls = Http2Hello();
  // Without limits, this would take 2 GiB.
  calls += Http2Frame(Http2FrameType::kSettings, 0, 0,
                      absl::string_view("\0\x04\x7f\xff\xff\xff", 6));
  for (std::uint32_t stream = 1; stream < 200; stream += 2) {
    absl::StrAppend(&calls, OpenCall(stream, "GetStats"));
  }
  ASSERT_TRUE(client.Send(calls));
  for (int i = 0; i < 20; ++i) Figures();
}

}  // namespace
}  // namespace echod
