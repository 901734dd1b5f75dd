// SPDX-License-Identifier: Apache-2.0

// Hostile admin clients against the real program: they harm neither other admin
// clients nor echo clients, and the process does not grow.

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "admin/testing/http2_test_client.h"
#include "admin/transport/http2_frames.h"
#include "echo/base/socket_address.h"
#include "echod/admin/v1/admin.grpc.pb.h"
#include "gtest/gtest.h"
#include "tests/support/conversation.h"
#include "tests/support/server_process.h"
#include "tests/support/tcp_client.h"

namespace echod::e2e {
namespace {

using testing::CallHeaders;
using testing::Cancel;
using testing::Echoes;
using testing::Http2Frame;
using testing::Http2Hello;
using testing::OpenCall;
using testing::ServerProcess;
using testing::TcpClient;

constexpr int kAttackers = 4;
constexpr int kRounds = 20;
[[maybe_unused]] constexpr std::int64_t kMostResident = 128 * 1024 * 1024;

// Sends calls that are cancelled immediately, or never read, until the server
// closes the connection; then starts again.
void Attack(const SocketAddress& admin, bool cancels,
            const std::atomic<bool>& stop) {
  std::string flood = Http2Hello();
  for (std::uint32_t stream = 1; stream < 4000; stream += 2) {
    absl::StrAppend(&flood, OpenCall(stream, "GetServer"));
    if (cancels) absl::StrAppend(&flood, Cancel(stream));
  }
  while (!stop) {
    std::optional<TcpClient> client =
        TcpClient::Connect(admin, {.timeout = absl::Milliseconds(500)});
    if (client.has_value() && client->Send(flood)) client->ReadToEnd();
  }
}

TEST(HostileAdminTest, FloodsHurtNobody) {
  ServerProcess server;
  TcpClient client = server.Connect();
  ASSERT_TRUE(Echoes(client, "before"));
  const SocketAddress address = *SocketAddress::Parse(server.admin_address());
  std::atomic<bool> stop = false;
  std::vector<std::thread> attackers;
  for (int i = 0; i < kAttackers; ++i) {
    attackers.emplace_back([&, i] { Attack(address, i % 2 == 0, stop); });
  }
  std::int64_t rejected = 0;
  for (int round = 0; round < kRounds || rejected < kAttackers; ++round) {
    // On a new connection, because those must be accepted.
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    const auto stub =
        admin::v1::AdminService::NewStub(grpc::CreateCustomChannel(
            server.admin_address(), grpc::InsecureChannelCredentials(),
            arguments));
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() +
                         std::chrono::seconds(20));
    admin::v1::Stats stats;
    const grpc::Status status =
        stub->GetStats(&context, admin::v1::GetStatsRequest(), &stats);
    ASSERT_TRUE(status.ok()) << status.error_message();
    const auto& reasons = stats.admin().connections_rejected_total();
    rejected = reasons.at("stream_resets") + reasons.at("open_streams");
    ASSERT_TRUE(Echoes(client, "during"));
#ifdef NDEBUG  // a sanitizer's allocator needs more memory
    ASSERT_LT(server.ResidentBytes(), kMostResident);
#endif
  }
  stop = true;
  for (std::thread& attacker : attackers) attacker.join();
  client.FinishSending();
  client.WaitForEnd();
  server.Signal(SIGTERM);
  EXPECT_EQ(server.WaitForExit(absl::Seconds(10)), 0);
}

// A few bytes of each request, with large amounts of unrelated data in between.
TEST(HostileAdminTest, RequestsThatNeverEndHoldLittle) {
  ServerProcess server;
  constexpr std::uint8_t kEndHeaders = 0x4;
  constexpr std::uint32_t kStreams = 64;
  std::string hello = Http2Hello();
  std::string round;
  for (std::uint32_t i = 0; i < kStreams; ++i) {
    const std::uint32_t stream = 2 * i + 1;
    absl::StrAppend(&hello,
                    Http2Frame(Http2FrameType::kHeaders, kEndHeaders, stream,
                               CallHeaders("GetConnection")),
                    // The start of a message of 60 KiB.
                    Http2Frame(Http2FrameType::kData, 0, stream,
                               absl::string_view("\0\0\0\xf0\0", 5)));
    absl::StrAppend(
        &round,
        Http2Frame(Http2FrameType::kData, 0, stream, std::string(24, 'x')),
        Http2Frame(Http2FrameType::kData, 0, 2 * kStreams + 1,
                   std::string(8150, 'x')));
  }
  std::optional<TcpClient> client =
      TcpClient::Connect(*SocketAddress::Parse(server.admin_address()),
                         {.timeout = absl::Seconds(10)});
  ASSERT_TRUE(client.has_value() && client->Send(hello));
  int rounds = 0;
  while (rounds < 500 && client->Send(round)) ++rounds;
  EXPECT_LT(rounds, 500);
#ifdef NDEBUG
  EXPECT_LT(server.ResidentBytes(), kMostResident);
#endif
}

}  // namespace
}  // namespace echod::e2e
