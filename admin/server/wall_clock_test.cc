// SPDX-License-Identifier: Apache-2.0

// The wall clock is set back while the admin plane waits.

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <utility>

#include "admin/server/admin_server.h"
#include "admin/testing/fake_data_plane.h"
#include "echod/admin/v1/admin.grpc.pb.h"
#include "gtest/gtest.h"

namespace {

// In seconds. Each read of the wall clock sets it back by the step, so the test
// covers every point in time.
std::atomic<std::int64_t> wall_clock_step{0};
std::atomic<std::int64_t> wall_clock_behind{0};

}  // namespace

// Overrides the C library's function for this program and its libraries.
extern "C" int clock_gettime(clockid_t clock, timespec* now) noexcept {
  const auto result = static_cast<int>(syscall(SYS_clock_gettime, clock, now));
  if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE) {
    now->tv_sec -= wall_clock_behind += wall_clock_step;
  }
  return result;
}

namespace echod {
namespace {

class WallClockTest : public ::testing::Test {
 protected:
  WallClockTest() {
    auto started = AdminServer::Start({.address = "127.0.0.1:0"},
                                      data_plane_.AsDataPlane());
    EXPECT_TRUE(started.ok()) << started.status();
    server_ = *std::move(started);
    stub_ = admin::v1::AdminService::NewStub(grpc::CreateChannel(
        server_->bound_address(), grpc::InsecureChannelCredentials()));
  }
  ~WallClockTest() override { wall_clock_step = wall_clock_behind = 0; }

  FakeDataPlane data_plane_;
  std::unique_ptr<AdminServer> server_;
  std::unique_ptr<admin::v1::AdminService::Stub> stub_;
};

TEST_F(WallClockTest, AWatchGoesOnWhenTheWallClockIsSetBack) {
  const auto before = std::chrono::system_clock::now();
  const auto begin = std::chrono::steady_clock::now();
  grpc::ClientContext context;
  context.set_deadline(before + std::chrono::seconds(30));
  admin::v1::WatchStatsRequest request;
  request.mutable_interval()->set_nanos(200'000'000);
  auto watch = stub_->WatchStats(&context, request);
  admin::v1::Stats stats;
  ASSERT_TRUE(watch->Read(&stats));
  wall_clock_step = 60;
  ASSERT_LT(std::chrono::system_clock::now(), before)
      << "the clock is not ours";
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(watch->Read(&stats));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10));
  context.TryCancel();
  watch->Finish();
}

}  // namespace
}  // namespace echod
