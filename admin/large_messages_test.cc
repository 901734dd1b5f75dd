// Clients that ask for much, or send what unpacks to much: what that may cost.

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "admin/admin_server.h"
#include "admin/fake_server_control.h"
#include "admin/http2_frames.h"
#include "admin/http2_test_client.h"
#include "echo/base/socket_address.h"
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
  LargeMessagesTest() {
    server_ = *AdminServer::Start({.address = "127.0.0.1:0"}, control_);
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

  FakeServerControl control_;
  std::unique_ptr<AdminServer> server_;
  std::unique_ptr<admin::v1::AdminService::Stub> stub_;
};

TEST_F(LargeMessagesTest, PagesThatAClientDoesNotTakeAreFew) {
  control_.connections[1] = {.number = 1, .listener_id = "a"};
  std::optional<TcpClient> greedy =
      TcpClient::Connect(*SocketAddress::Parse(server_->bound_address()));
  ASSERT_TRUE(greedy.has_value());
  // SETTINGS_INITIAL_WINDOW_SIZE is 0: it takes no byte of an answer.
  std::string asks = absl::StrCat(
      kHttp2Preface, Http2Frame(Http2FrameType::kSettings, 0, 0,
                                absl::string_view("\0\4\0\0\0\0", 6)));
  constexpr int kCalls = 40;
  constexpr int kMostOfClient = 8;
  for (int i = 0; i < kCalls; ++i) {
    absl::StrAppend(&asks, OpenCall(static_cast<std::uint32_t>(2 * i + 1),
                                    "ListConnections"));
  }
  ASSERT_TRUE(greedy->Send(asks));
  ASSERT_TRUE(
      Eventually([&] { return control_.list_calls() >= kMostOfClient; }));
  // Others have theirs, one after the other.
  constexpr int kOfOthers = 20;
  for (int i = 0; i < kOfOthers; ++i) EXPECT_TRUE(List().ok());
  EXPECT_EQ(control_.list_calls(), kMostOfClient + kOfOthers);
  // Calls that wait end with their connection, and make room.
  greedy->Reset();
  EXPECT_TRUE(List().ok());
}

TEST_F(LargeMessagesTest, RequestsComeAsTheyAre) {
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
