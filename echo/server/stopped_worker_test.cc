// SPDX-License-Identifier: Apache-2.0

#include <sys/socket.h>

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "echo/base/socket_address.h"
#include "echo/base/unique_fd.h"
#include "echo/net/listen_socket.h"
#include "echo/server/worker.h"
#include "echo/session/listener_handle.h"
#include "echo/session/listener_stats.h"
#include "echo/testing/fake_clock.h"
#include "gtest/gtest.h"
#include "tests/support/tcp_client.h"

namespace echod {
namespace {

using testing::TcpClient;

// A worker whose loop has ended, as it does when the system fails it.
TEST(StoppedWorkerTest, ResetsAndUncountsWhatIsHandedOver) {
  FakeClock clock;
  const auto stats = std::make_shared<ListenerStats>(1);
  const std::unique_ptr<Worker> worker = *Worker::Create(0, clock);
  ASSERT_TRUE(worker->Start([](const absl::Status&) {}).ok());
  worker->Stop();
  worker->Join();

  const absl::StatusOr<ListenSocket> listening =
      OpenListenSocket(*SocketAddress::FromHost("127.0.0.1", 0), 16);
  ASSERT_TRUE(listening.ok());
  std::optional<TcpClient> client = TcpClient::Connect(listening->address.ip());
  ASSERT_TRUE(client.has_value());
  const SocketAddress remote = client->local();
  stats->open_connections = 1;
  ASSERT_TRUE(stats->open_by_address.Add(remote, 1));
  worker->AddLoad();
  std::vector<AcceptedSocket> accepted;
  accepted.push_back(
      {.listener = ListenerHandle{1},
       .stats = stats,
       .socket = UniqueFd(accept(listening->fd.get(), nullptr, nullptr)),
       .remote = remote,
       .number = 1,
       .generation = 1});
  worker->HandOver(std::move(accepted));

  EXPECT_EQ(client->WaitForEnd(), TcpClient::End::kReset);
  EXPECT_EQ(worker->load(), 0);
  EXPECT_EQ(stats->open_connections, 0);
  EXPECT_TRUE(stats->open_by_address.Add(remote, 1)) << "still counted";
}

}  // namespace
}  // namespace echod
