// SPDX-License-Identifier: Apache-2.0

#include "echo/server/connection_directory.h"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "echo/base/clock.h"
#include "echo/control/connection_control.h"
#include "echo/control/connection_fields.h"
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
    query.after = page->last;
  }
  EXPECT_EQ(numbers.size(), 300u);
  EXPECT_TRUE(std::is_sorted(numbers.begin(), numbers.end()));
  EXPECT_EQ(std::set<std::uint64_t>(numbers.begin(), numbers.end()).size(),
            300u);
}

// Connections of which number i has echoed i lines.
std::vector<TcpClient> ConnectWithLines(TestServer& server, int count) {
  std::vector<TcpClient> clients;
  for (int i = 1; i <= count; ++i) {
    clients.push_back(server.Connect());
    for (int line = 0; line < i; ++line) {
      EXPECT_TRUE(Echoes(clients.back(), "in"));
    }
  }
  return clients;
}

// A number of lines, as a filter.
class LinesAtLeast final : public ConnectionPredicate {
 public:
  explicit LinesAtLeast(std::int64_t lines) : lines_(lines) {}

  bool Matches(const ConnectionFields& connection,
               MonotonicTime /*now*/) const override {
    return connection.lines_echoed() >= lines_;
  }
  int cost() const override { return 1; }

 private:
  const std::int64_t lines_;
};

TEST(ConnectionDirectoryTest, AnOrderHoldsAcrossWorkersAndPages) {
  TestServer server(Workers(3));
  const std::vector<TcpClient> clients = ConnectWithLines(server, 25);
  ConnectionQuery query;
  query.order = {{.field = ConnectionField::kLinesEchoed, .descending = true}};
  query.limit = 7;
  std::vector<std::int64_t> lines;
  std::vector<std::size_t> sizes;
  for (;;) {
    const absl::StatusOr<ConnectionPage> page = server.List(query);
    ASSERT_TRUE(page.ok());
    for (const ConnectionInfo& each : page->connections) {
      lines.push_back(each.lines_echoed);
    }
    sizes.push_back(page->connections.size());
    if (!page->more) break;
    query.after = page->last;
  }
  EXPECT_EQ(sizes, std::vector<std::size_t>({7, 7, 7, 4}));
  EXPECT_EQ(std::set<std::int64_t>(lines.begin(), lines.end()).size(), 25u);
  EXPECT_TRUE(std::is_sorted(lines.rbegin(), lines.rend()));
}

TEST(ConnectionDirectoryTest, AListThatNobodyWaitsForLooksAtNothing) {
  TestServer server(Workers(3));
  const std::vector<TcpClient> clients = ConnectWithLines(server, 5);
  const auto abandoned = std::make_shared<std::atomic<bool>>(false);
  ConnectionQuery query;
  query.order = {{.field = ConnectionField::kLinesEchoed, .descending = true}};
  query.abandonment = abandoned;
  EXPECT_EQ(server.List(query)->connections.size(), 5u);
  *abandoned = true;
  const absl::StatusOr<ConnectionPage> page = server.List(query);
  ASSERT_TRUE(page.ok());
  EXPECT_TRUE(page->connections.empty());
}

TEST(ConnectionDirectoryTest, EqualOnesAreOrderedByNumber) {
  TestServer server(Workers(3));
  std::vector<TcpClient> clients;
  for (int i = 0; i < 20; ++i) clients.push_back(server.Connect());
  ASSERT_TRUE(Eventually([&] { return server.List({})->total == 20; }));
  ConnectionQuery query;
  query.order = {{.field = ConnectionField::kBytesSent, .descending = true}};
  query.limit = 6;
  std::vector<std::uint64_t> numbers;
  while (numbers.size() < 20) {
    const absl::StatusOr<ConnectionPage> page = server.List(query);
    ASSERT_TRUE(page.ok());
    ASSERT_FALSE(page->connections.empty());
    for (const ConnectionInfo& each : page->connections) {
      numbers.push_back(each.number);
    }
    query.after = page->last;
  }
  EXPECT_TRUE(std::is_sorted(numbers.begin(), numbers.end()));
  EXPECT_EQ(std::set<std::uint64_t>(numbers.begin(), numbers.end()).size(),
            20u);
}

TEST(ConnectionDirectoryTest, AFilterSelectsAndIsCounted) {
  TestServer server(Workers(3));
  const std::vector<TcpClient> clients = ConnectWithLines(server, 12);
  ConnectionQuery query;
  query.filter = std::make_shared<LinesAtLeast>(5);
  query.limit = 3;
  query.count_matches = true;
  const absl::StatusOr<ConnectionPage> first = server.List(query);
  ASSERT_TRUE(first.ok());
  ASSERT_EQ(first->connections.size(), 3u);
  EXPECT_EQ(first->connections[0].number, 5u);
  EXPECT_EQ(first->connections[2].number, 7u);
  EXPECT_TRUE(first->more);
  EXPECT_EQ(first->total, 8);

  query.count_matches = false;
  query.after = first->last;
  query.limit = 5;
  const absl::StatusOr<ConnectionPage> second = server.List(query);
  ASSERT_TRUE(second.ok());
  ASSERT_EQ(second->connections.size(), 5u);
  EXPECT_EQ(second->connections[0].number, 8u);
  EXPECT_FALSE(second->more);
}

TEST(ConnectionDirectoryTest, PlacesAloneLeadToThePageBehindThem) {
  TestServer server(Workers(3));
  const std::vector<TcpClient> clients = ConnectWithLines(server, 12);
  ConnectionQuery query;
  query.order = {{.field = ConnectionField::kLinesEchoed, .descending = true}};
  query.places_only = true;
  query.limit = 4;
  const absl::StatusOr<ConnectionPage> skipped = server.List(query);
  ASSERT_TRUE(skipped.ok());
  EXPECT_TRUE(skipped->connections.empty());
  query.places_only = false;
  query.after = skipped->last;
  const absl::StatusOr<ConnectionPage> page = server.List(query);
  ASSERT_TRUE(page.ok());
  ASSERT_EQ(page->connections.size(), 4u);
  EXPECT_EQ(page->connections[0].lines_echoed, 8);
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
