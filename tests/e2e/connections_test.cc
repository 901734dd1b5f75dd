// SPDX-License-Identifier: Apache-2.0

// Connections are found and closed over the admin API of the real program.

#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
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
using Names = std::vector<std::string>;

// Connection i has echoed i lines, and the server has counted them.
std::vector<TcpClient> ConnectWithLines(const ServerProcess& server,
                                        AdminClient& admin, int count) {
  std::vector<TcpClient> clients;
  for (int i = 1; i <= count; ++i) {
    clients.push_back(server.Connect());
    for (int line = 0; line < i; ++line) {
      EXPECT_TRUE(Echoes(clients.back(), "in"));
    }
  }
  EXPECT_TRUE(Eventually([&] {
    return admin.Stats().total().lines_echoed_total() ==
           count * (count + 1) / 2;
  }));
  return clients;
}

Names NamesOf(const admin::v1::ListConnectionsResponse& page) {
  Names names;
  for (const auto& each : page.connections()) names.push_back(each.name());
  return names;
}

class ConnectionsTest : public ::testing::Test {
 protected:
  admin::v1::ListConnectionsResponse List(
      const admin::v1::ListConnectionsRequest& request) {
    admin::v1::ListConnectionsResponse page;
    const grpc::Status status =
        admin_.Call(&Stub::ListConnections, request, &page);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return page;
  }

  admin::v1::ListConnectionsResponse Filtered(const std::string& filter) {
    admin::v1::ListConnectionsRequest request;
    request.set_filter(filter);
    return List(request);
  }

  const ServerProcess server_{{"--workers=2"}};
  AdminClient admin_{server_};
};

TEST_F(ConnectionsTest, FiltersByEachKindOfField) {
  const auto clients = ConnectWithLines(server_, admin_, 3);
  const Names all = {"connections/1", "connections/2", "connections/3"};
  const std::string third = clients[2].local().ToString();
  for (const std::string& filter :
       {std::string("listener = \"listeners/default\""),
        std::string("listener : faul"), std::string("listener_generation = 1"),
        std::string("state = OPEN"), std::string("worker <= 1"),
        std::string("remote_address : \"127.0.0.0/8\""),
        absl::StrCat("local_address = \"", server_.echo_address().ToString(),
                     "\""),
        std::string("create_time > 2020-01-01T00:00:00Z"),
        std::string("last_active_time > 2020-01-01T00:00:00Z"),
        std::string("age < 1h"), std::string("idle < 1h"),
        std::string("reading_paused = false"),
        std::string("bytes_buffered < 1KiB")}) {
    EXPECT_EQ(NamesOf(Filtered(filter)), all) << filter;
    EXPECT_EQ(NamesOf(Filtered(absl::StrCat("NOT ", filter))), Names())
        << filter;
  }
  EXPECT_EQ(NamesOf(Filtered("lines_echoed >= 2")),
            Names({"connections/2", "connections/3"}));
  EXPECT_EQ(NamesOf(Filtered("bytes_received = 3 OR bytes_sent = 36")),
            Names({"connections/1", "connections/3"}));
  EXPECT_EQ(NamesOf(Filtered(absl::StrCat("remote_address = \"", third, "\""))),
            Names({"connections/3"}));
  EXPECT_EQ(NamesOf(Filtered("name > connections/1 AND -name = 3")),
            Names({"connections/2"}));
}

TEST_F(ConnectionsTest, PagesOfAFilterAndAnOrder) {
  const auto clients = ConnectWithLines(server_, admin_, 12);
  admin::v1::ListConnectionsRequest request;
  request.set_filter("lines_echoed > 2");
  request.set_order_by("bytes_sent desc, create_time");
  request.set_page_size(4);
  Names names;
  do {
    const auto page = List(request);
    EXPECT_EQ(page.total_size(), 10);
    for (const std::string& name : NamesOf(page)) names.push_back(name);
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  Names expected;
  for (int i = 12; i > 2; --i) {
    expected.push_back(absl::StrCat("connections/", i));
  }
  EXPECT_EQ(names, expected);
}

TEST_F(ConnectionsTest, SkipsWithAndWithoutAnOrder) {
  const auto clients = ConnectWithLines(server_, admin_, 8);
  admin::v1::ListConnectionsRequest request;
  request.set_skip(3);
  request.set_page_size(2);
  auto page = List(request);
  EXPECT_EQ(NamesOf(page), Names({"connections/4", "connections/5"}));
  EXPECT_EQ(page.total_size(), 8);

  request.set_skip(1);  // behind the page before
  request.set_page_token(page.next_page_token());
  EXPECT_EQ(NamesOf(List(request)), Names({"connections/7", "connections/8"}));

  request.clear_page_token();
  request.set_skip(3);
  request.set_order_by("lines_echoed desc");
  request.set_filter("lines_echoed != 8");
  page = List(request);
  EXPECT_EQ(NamesOf(page), Names({"connections/4", "connections/3"}));
  EXPECT_EQ(page.total_size(), 7);

  request.set_skip(7);
  page = List(request);
  EXPECT_EQ(NamesOf(page), Names());
  EXPECT_EQ(page.next_page_token(), "");
  EXPECT_EQ(page.total_size(), 7);
}

TEST_F(ConnectionsTest, AWrongRequestIsToldWhere) {
  admin::v1::ListConnectionsRequest request;
  admin::v1::ListConnectionsResponse page;
  request.set_filter("state = OPEN AND idel > 30s");
  grpc::Status status = admin_.Call(&Stub::ListConnections, request, &page);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(Field(status), "filter");
  EXPECT_EQ(Reason(status), "INVALID_FIELD");
  EXPECT_EQ(status.error_message(),
            "column 18: found 'idel'; expected a field of a "
            "connection; did you mean idle?");

  request.clear_filter();
  request.set_order_by("remote_address");
  status = admin_.Call(&Stub::ListConnections, request, &page);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(Field(status), "order_by");

  request.clear_order_by();
  request.set_skip(-1);
  status = admin_.Call(&Stub::ListConnections, request, &page);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(Field(status), "skip");
}

TEST_F(ConnectionsTest, ClosesThoseThatMatch) {
  auto clients = ConnectWithLines(server_, admin_, 4);
  admin::v1::CloseConnectionsRequest request;
  request.set_filter("lines_echoed > 2");
  request.set_validate_only(true);
  admin::v1::CloseConnectionsResponse closed;
  ASSERT_TRUE(admin_.Call(&Stub::CloseConnections, request, &closed).ok());
  EXPECT_EQ(closed.closed_count(), 2);
  ASSERT_EQ(closed.sample_size(), 2);
  EXPECT_EQ(closed.sample(0).name(), "connections/3");
  EXPECT_EQ(closed.sample(0).lines_echoed(), 3);
  EXPECT_EQ(closed.sample(1).name(), "connections/4");
  for (TcpClient& client : clients) EXPECT_TRUE(Echoes(client, "still here"));

  request.set_filter("name > connections/2");
  request.set_validate_only(false);
  ASSERT_TRUE(admin_.Call(&Stub::CloseConnections, request, &closed).ok());
  EXPECT_EQ(closed.closed_count(), 2);
  EXPECT_EQ(clients[2].WaitForEnd(), End::kEof);
  EXPECT_EQ(clients[3].WaitForEnd(), End::kEof);

  request.set_filter("name = connections/1");
  request.set_mode(admin::v1::CloseConnectionRequest::MODE_RESET);
  ASSERT_TRUE(admin_.Call(&Stub::CloseConnections, request, &closed).ok());
  EXPECT_EQ(closed.closed_count(), 1);
  EXPECT_EQ(clients[0].WaitForEnd(), End::kReset);
  EXPECT_TRUE(Echoes(clients[1], "still here"));

  ASSERT_TRUE(admin_.Call(&Stub::CloseConnections, request, &closed).ok());
  EXPECT_EQ(closed.closed_count(), 0);
}

TEST_F(ConnectionsTest, SpreadsTheCloses) {
  auto clients = ConnectWithLines(server_, admin_, 4);
  admin::v1::CloseConnectionsRequest request;
  request.set_all(true);
  request.mutable_spread()->set_nanos(200'000'000);
  admin::v1::CloseConnectionsResponse closed;
  ASSERT_TRUE(admin_.Call(&Stub::CloseConnections, request, &closed).ok());
  EXPECT_EQ(closed.closed_count(), 4);
  for (TcpClient& client : clients) EXPECT_EQ(client.WaitForEnd(), End::kEof);
}

TEST_F(ConnectionsTest, ClosesNothingByMistake) {
  auto clients = ConnectWithLines(server_, admin_, 1);
  admin::v1::CloseConnectionsResponse closed;
  const auto field = [&](const admin::v1::CloseConnectionsRequest& request) {
    const grpc::Status status =
        admin_.Call(&Stub::CloseConnections, request, &closed);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    EXPECT_EQ(Reason(status), "INVALID_FIELD");
    return Field(status);
  };
  admin::v1::CloseConnectionsRequest request;
  EXPECT_EQ(field(request), "filter");
  request.set_filter("idle > 30");
  EXPECT_EQ(field(request), "filter");
  request.set_filter("age >= 0s");
  request.set_all(true);
  EXPECT_EQ(field(request), "all");
  request.clear_filter();
  request.mutable_spread()->set_seconds(24 * 3600 + 1);
  EXPECT_EQ(field(request), "spread");
  request.clear_spread();
  request.set_mode(static_cast<admin::v1::CloseConnectionRequest::Mode>(9));
  EXPECT_EQ(field(request), "mode");
  EXPECT_TRUE(Echoes(clients[0], "still here"));
}

TEST_F(ConnectionsTest, LimitsTheClosesThatAreSpread) {
  auto clients = ConnectWithLines(server_, admin_, 1);
  admin::v1::CloseConnectionsRequest request;
  request.set_all(true);
  request.mutable_spread()->set_seconds(3600);
  admin::v1::CloseConnectionsResponse closed;
  for (int i = 0; i < 32; ++i) {
    ASSERT_TRUE(admin_.Call(&Stub::CloseConnections, request, &closed).ok());
  }
  const grpc::Status refused =
      admin_.Call(&Stub::CloseConnections, request, &closed);
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(Reason(refused), "TOO_MANY_DRAINS");
  EXPECT_TRUE(Echoes(clients[0], "still here"));
}

// While pages are read, connections close: each that stays is on one page.
TEST_F(ConnectionsTest, ClosesBetweenThePagesOfAList) {
  auto clients = ConnectWithLines(server_, admin_, 12);
  admin::v1::ListConnectionsRequest list;
  list.set_order_by("lines_echoed desc");
  list.set_page_size(3);
  admin::v1::CloseConnectionsRequest close;
  close.set_mode(admin::v1::CloseConnectionRequest::MODE_RESET);
  admin::v1::CloseConnectionsResponse closed;
  std::multiset<std::string> seen;
  do {
    const auto page = List(list);
    for (const std::string& name : NamesOf(page)) seen.insert(name);
    list.set_page_token(page.next_page_token());
    if (seen.size() == 3) {
      // The last of this page, and one of the next.
      close.set_filter("lines_echoed = 10 OR lines_echoed = 8");
      ASSERT_TRUE(admin_.Call(&Stub::CloseConnections, close, &closed).ok());
      ASSERT_EQ(closed.closed_count(), 2);
    }
  } while (!list.page_token().empty());
  EXPECT_EQ(seen.size(), 11u);
  for (int i = 1; i <= 12; ++i) {
    EXPECT_EQ(seen.count(absl::StrCat("connections/", i)), i == 8 ? 0u : 1u)
        << i;
  }
}

}  // namespace
}  // namespace echod::e2e
