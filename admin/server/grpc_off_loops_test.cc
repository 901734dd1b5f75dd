// SPDX-License-Identifier: Apache-2.0

// Calls from the data plane's loops to the admin plane must not call gRPC. The
// test's own thread stands for a loop.

#include <dlfcn.h>
#include <grpc/grpc.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <utility>
#include <vector>

#include "admin/server/admin_server.h"
#include "admin/testing/fake_data_plane.h"
#include "echo/control/connection_info.h"
#include "echo/control/reply.h"
#include "echod/admin/v1/admin.grpc.pb.h"
#include "gtest/gtest.h"
#include "src/proto/grpc/health/v1/health.grpc.pb.h"
#include "tests/support/eventually.h"

namespace {

thread_local bool is_loop = false;
std::atomic<int> calls{0};
std::atomic<int> calls_of_loops{0};

}  // namespace

// Replaces gRPC's function in this program. Everything that a server sends goes
// through it.
extern "C" grpc_call_error grpc_call_start_batch(grpc_call* call,
                                                 const grpc_op* ops,
                                                 size_t count, void* tag,
                                                 void* reserved) {
  static const auto real = reinterpret_cast<decltype(&grpc_call_start_batch)>(
      dlsym(RTLD_NEXT, "grpc_call_start_batch"));
  ++calls;
  if (is_loop) ++calls_of_loops;
  return real(call, ops, count, tag, reserved);
}

namespace echod {
namespace {

using grpc::health::v1::HealthCheckResponse;
using testing::Eventually;

class GrpcOffLoopsTest : public ::testing::Test {
 protected:
  GrpcOffLoopsTest() {
    data_plane_.connections.hold_replies = true;
    context_.set_deadline(std::chrono::system_clock::now() +
                          std::chrono::seconds(30));
    server_ = *AdminServer::Start({.address = "127.0.0.1:0", .description = {}},
                                  data_plane_.AsDataPlane());
    channel_ = grpc::CreateChannel(server_->bound_address(),
                                   grpc::InsecureChannelCredentials());
  }
  ~GrpcOffLoopsTest() override {
    EXPECT_GT(calls, 0);
    EXPECT_EQ(calls_of_loops, 0);
  }

  FakeDataPlane data_plane_;
  std::unique_ptr<AdminServer> server_;
  std::shared_ptr<grpc::Channel> channel_;
  grpc::ClientContext context_;
};

TEST_F(GrpcOffLoopsTest, AnAnswer) {
  const auto stub = admin::v1::AdminService::NewStub(channel_);
  admin::v1::GetConnectionRequest request;
  request.set_name("connections/7");
  admin::v1::Connection response;
  auto status = std::async(std::launch::async, [&] {
    return stub->GetConnection(&context_, request, &response);
  });
  ASSERT_TRUE(
      Eventually([&] { return data_plane_.connections.has_held_replies(); }));
  std::vector<Reply<ConnectionInfo>> replies =
      data_plane_.connections.TakeHeldReplies();
  is_loop = true;
  replies.front()(ConnectionInfo{.number = 7});
  is_loop = false;
  EXPECT_TRUE(status.get().ok());
  EXPECT_EQ(response.name(), "connections/7");
}

TEST_F(GrpcOffLoopsTest, HealthWhenADrainBegins) {
  server_->StartServing();
  const auto stub = grpc::health::v1::Health::NewStub(channel_);
  const auto watch =
      stub->Watch(&context_, grpc::health::v1::HealthCheckRequest());
  HealthCheckResponse response;
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::SERVING);
  is_loop = true;
  server_->SetDraining(/*ready=*/false);
  is_loop = false;
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::NOT_SERVING);
  context_.TryCancel();
}

}  // namespace
}  // namespace echod
