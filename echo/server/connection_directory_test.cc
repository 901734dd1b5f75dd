// SPDX-License-Identifier: Apache-2.0

#include "echo/server/connection_directory.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <set>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "echo/control/connection_control.h"
#include "echo/control/connection_info.h"
#include "echo/control/control_error.h"
#include "echo/control/reply.h"
#include "echo/server/echo_server.h"
#include "echo/testing/test_server.h"
#include "gtest/gtest.h"
#include "tests/support/conversation.h"
#include "tests/support/eventually.h"
#include "tests/support/tcp_client.h"

namespace echod {
namespace {

using testing::Echoes;
using testing::Eventually;
using testing::TcpClient;

TEST(ConnectionDirectoryTest, ListsEveryConnectionOnceInOrder) {
  TestServer server(Workers(3));
  constexpr int kConnections = 300;
  std::vector<TcpClient> clients;
  for (int i = 0; i < kConnections; ++i) {
    clients.push_back(server.Connect());
    ASSERT_TRUE(Echoes(clients.back(), "in"));
  }
  std::vector<std::uint64_t> numbers;
  ConnectionQuery query;
  query.limit = 130;
  for (;;) {
    const absl::StatusOr<ConnectionPage> page = server.List(query);
    ASSERT_TRUE(page.ok());
    EXPECT_EQ(page->total, kConnections);
    for (const ConnectionInfo& each : page->connections) {
      numbers.push_back(each.number);
    }
    if (!page->more) break;
    ASSERT_EQ(page->connections.size(), 130u);
    query.after = page->connections.back().number;
  }
  EXPECT_EQ(numbers.size(), 300u);
  EXPECT_TRUE(std::is_sorted(numbers.begin(), numbers.end()));
  EXPECT_EQ(std::set<std::uint64_t>(numbers.begin(), numbers.end()).size(),
            300u);
}

TEST(ConnectionDirectoryTest, AnUnknownConnectionIsNotFound) {
  TestServer server(Workers(2));
  const absl::Status status = server.Get(12345).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(GetErrorDetail(status).reason, "CONNECTION_NOT_FOUND");
}

TEST(ConnectionDirectoryTest, AnswersManyListsAtOnce) {
  TestServer server(Workers(3));
  constexpr int kConnections = 50;
  std::vector<TcpClient> clients;
  for (int i = 0; i < kConnections; ++i) {
    clients.push_back(server.Connect());
    ASSERT_TRUE(Echoes(clients.back(), "in"));
  }
  constexpr int kLists = 400;
  std::atomic<int> complete{0};
  std::atomic<int> answered{0};
  for (int i = 0; i < kLists; ++i) {
    server.control().ListConnections(
        {.limit = 1000},
        Reply<ConnectionParts>([&](absl::StatusOr<ConnectionParts> parts) {
          if (parts.ok()) {
            const ConnectionPage page = MergeParts(*std::move(parts));
            if (page.connections.size() == kConnections && !page.more) {
              ++complete;
            }
          }
          ++answered;
        }));
  }
  ASSERT_TRUE(Eventually([&] { return answered == kLists; }));
  EXPECT_EQ(complete, kLists);
}

TEST(ConnectionDirectoryTest, AnswersListsThatAStopCutsOff) {
  constexpr int kLists = 4000;
  std::atomic<int> unavailable{0};
  {
    TestServer server(Workers(2));
    server.OnMainLoop([&](EchoServer& data_plane) {
      for (int i = 0; i < kLists; ++i) {
        data_plane.ListConnections(
            {}, Reply<ConnectionParts>(
                    [&](const absl::StatusOr<ConnectionParts>& parts) {
                      if (absl::IsUnavailable(parts.status())) ++unavailable;
                    }));
      }
      data_plane.StopNow();
    });
  }
  EXPECT_EQ(unavailable, kLists);
}

}  // namespace
}  // namespace echod
