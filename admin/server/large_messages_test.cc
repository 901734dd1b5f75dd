// SPDX-License-Identifier: Apache-2.0

// Clients that request large answers, or send messages that decompress to large
// ones.

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

#include <chrono>
#include <cstdint>
#include <future>
#include <memory>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "admin/server/admin_server.h"
#include "admin/testing/fake_data_plane.h"
#include "admin/testing/http2_test_client.h"
#include "admin/transport/http2_frames.h"
#include "echo/base/socket_address.h"
#include "echo/control/connection_control.h"
#include "echod/admin/v1/admin.grpc.pb.h"
#include "gtest/gtest.h"
#include "tests/support/eventually.h"
#include "tests/support/tcp_client.h"

namespace echod {
namespace {

using testing::Eventually;
using testing::Http2Frame;
using testing::kHttp2Preface;
using testing::OpenCall;
using testing::TcpClient;

class LargeMessagesTest : public ::testing::Test {
 protected:
  void Start(absl::Duration page_timeout = absl::Hours(1)) {
    server_ = *AdminServer::Start(
        {.address = "127.0.0.1:0", .page_timeout = page_timeout},
        data_plane_.AsDataPlane());
    stub_ = admin::v1::AdminService::NewStub(grpc::CreateChannel(
        server_->bound_address(), grpc::InsecureChannelCredentials()));
  }

  static void SetDeadline(grpc::ClientContext& context) {
    context.set_deadline(std::chrono::system_clock::now() +
                         std::chrono::seconds(30));
  }

  grpc::Status List() {
    grpc::ClientContext context;
    SetDeadline(context);
    admin::v1::ListConnectionsResponse response;
    return stub_->ListConnections(&context, admin::v1::ListConnectionsRequest(),
                                  &response);
  }

  // A client that requests pages and reads none of them.
  TcpClient AskAndDoNotRead(int pages) {
    std::optional<TcpClient> client =
        TcpClient::Connect(*SocketAddress::Parse(server_->bound_address()));
    EXPECT_TRUE(client.has_value());
    // SETTINGS_INITIAL_WINDOW_SIZE is 0.
    std::string asks = absl::StrCat(
        kHttp2Preface, Http2Frame(Http2FrameType::kSettings, 0, 0,
                                  absl::string_view("\0\4\0\0\0\0", 6)));
    for (int i = 0; i < pages; ++i) {
      absl::StrAppend(&asks, OpenCall(static_cast<std::uint32_t>(2 * i + 1),
                                      "ListConnections"));
    }
    EXPECT_TRUE(client->Send(asks));
    return *std::move(client);
  }

  static constexpr int kMostOfClient = 8;

  FakeDataPlane data_plane_;
  std::unique_ptr<AdminServer> server_;
  std::unique_ptr<admin::v1::AdminService::Stub> stub_;
};

TEST_F(LargeMessagesTest, PagesThatAClientDoesNotTakeAreFew) {
  data_plane_.connections.infos[1] = {.number = 1, .listener_id = "a"};
  Start();
  TcpClient greedy = AskAndDoNotRead(40);
  ASSERT_TRUE(Eventually(
      [&] { return data_plane_.connections.list_calls() >= kMostOfClient; }));
  // Other clients receive their pages, one after the other.
  constexpr int kOfOthers = 20;
  for (int i = 0; i < kOfOthers; ++i) EXPECT_TRUE(List().ok());
  EXPECT_EQ(data_plane_.connections.list_calls(), kMostOfClient + kOfOthers);
  // Waiting calls end with their connection, and make room.
  greedy.Reset();
  EXPECT_TRUE(List().ok());
}

TEST_F(LargeMessagesTest, PagesThatAClientDoesNotTakeAreGivenUp) {
  data_plane_.connections.infos[1] = {.number = 1, .listener_id = "a"};
  Start(absl::Milliseconds(10));
  constexpr int kPages = 40;
  const TcpClient greedy = AskAndDoNotRead(kPages);
  EXPECT_TRUE(Eventually(
      [&] { return data_plane_.connections.list_calls() == kPages; }));
}

// A list of a busy server may take long; only reading it has a time limit.
TEST_F(LargeMessagesTest, AListThatTakesLongIsNotGivenUp) {
  data_plane_.connections.infos[1] = {.number = 1, .listener_id = "a"};
  data_plane_.connections.hold_lists = true;
  Start(absl::Milliseconds(1));
  std::future<grpc::Status> list =
      std::async(std::launch::async, [this] { return List(); });
  ASSERT_TRUE(
      Eventually([&] { return data_plane_.connections.list_calls() == 1; }));
  // Time goes by, in which others are given up.
  data_plane_.connections.hold_lists = false;
  {
    const TcpClient greedy = AskAndDoNotRead(40);
    EXPECT_TRUE(
        Eventually([&] { return data_plane_.connections.list_calls() == 41; }));
  }
  EXPECT_FALSE(IsAbandoned(data_plane_.connections.queries()[0].abandonment));
  data_plane_.connections.DropHeldLists();
  EXPECT_EQ(list.get().error_code(), grpc::StatusCode::UNAVAILABLE);
}

// Its walk would go on, and others would wait for its turn.
TEST_F(LargeMessagesTest, AListIsAbandonedWithItsClient) {
  data_plane_.connections.hold_lists = true;
  Start();
  {
    TcpClient client = AskAndDoNotRead(1);
    ASSERT_TRUE(
        Eventually([&] { return data_plane_.connections.list_calls() == 1; }));
    EXPECT_FALSE(IsAbandoned(data_plane_.connections.queries()[0].abandonment));
  }
  EXPECT_TRUE(Eventually([&] {
    return IsAbandoned(data_plane_.connections.queries()[0].abandonment);
  }));
  data_plane_.connections.DropHeldLists();
}

// The same, of what looks at all connections to say which it would close.
TEST_F(LargeMessagesTest, AClosingThatClosesNothingIsAbandonedWithItsClient) {
  data_plane_.connections.hold_lists = true;
  Start();
  grpc::ClientContext context;
  std::future<grpc::Status> closing = std::async(std::launch::async, [&] {
    admin::v1::CloseConnectionsRequest request;
    request.set_all(true);
    request.set_validate_only(true);
    admin::v1::CloseConnectionsResponse response;
    return stub_->CloseConnections(&context, request, &response);
  });
  const auto asked = [&] { return data_plane_.connections.closings(); };
  ASSERT_TRUE(Eventually([&] { return asked().size() == 1; }));
  EXPECT_FALSE(IsAbandoned(asked()[0].abandonment));
  context.TryCancel();
  EXPECT_TRUE(Eventually([&] { return IsAbandoned(asked()[0].abandonment); }));
  EXPECT_EQ(closing.get().error_code(), grpc::StatusCode::CANCELLED);
  data_plane_.connections.DropHeldLists();
}

TEST_F(LargeMessagesTest, RequestsComeAsTheyAre) {
  Start();
  grpc::ClientContext context;
  SetDeadline(context);
  context.set_compression_algorithm(GRPC_COMPRESS_GZIP);
  admin::v1::GetListenerRequest request;
  request.set_name(std::string(50'000, 'x'));
  admin::v1::Listener response;
  EXPECT_EQ(stub_->GetListener(&context, request, &response).error_code(),
            grpc::StatusCode::UNIMPLEMENTED);
}

}  // namespace
}  // namespace echod
