// SPDX-License-Identifier: Apache-2.0

#include "admin/service/connection_list.h"

#include <array>
#include <cstdint>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "echo/control/connection_control.h"
#include "echo/control/connection_fields.h"
#include "echo/control/connection_order.h"
#include "echo/control/control_error.h"
#include "echod/admin/v1/admin.pb.h"
#include "gtest/gtest.h"

namespace echod {
namespace {

using Request = admin::v1::ListConnectionsRequest;

std::string Field(const Request& request) {
  const absl::Status status = ParseConnectionList(request).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << request.DebugString();
  return GetErrorDetail(status).field;
}

// The token for the page after connection 7, whose terms are `terms`.
std::string NextToken(const Request& request, std::int64_t total,
                      std::array<std::int64_t, kMostOrderTerms> terms) {
  ConnectionPage page{.last = OrderPlace{.terms = terms, .number = 7},
                      .more = true,
                      .total = total};
  return PageToProto(page, *ParseConnectionList(request)).next_page_token();
}

TEST(ConnectionListTest, ReadsWhatIsAskedFor) {
  Request request;
  request.set_page_size(9);
  request.set_view(admin::v1::CONNECTION_VIEW_FULL);
  request.set_filter("idle > 30s");
  request.set_order_by("bytes_sent desc");
  request.set_skip(20);
  const auto list = ParseConnectionList(request);
  ASSERT_TRUE(list.ok()) << list.status();
  EXPECT_EQ(list->query.limit, 9);
  EXPECT_TRUE(list->query.with_tcp_info);
  EXPECT_NE(list->query.filter, nullptr);
  EXPECT_TRUE(list->query.count_matches);
  EXPECT_EQ(list->query.order,
            ConnectionOrder(
                {{.field = ConnectionField::kBytesSent, .descending = true}}));
  EXPECT_FALSE(list->query.after.has_value());
  EXPECT_EQ(list->skip, 20);
}

TEST(ConnectionListTest, NamesTheFieldThatIsWrong) {
  Request request;
  request.set_filter("idel > 30s");
  EXPECT_EQ(Field(request), "filter");
  request = {};
  request.set_order_by("state");
  EXPECT_EQ(Field(request), "order_by");
  request = {};
  request.set_skip(-1);
  EXPECT_EQ(Field(request), "skip");
  request.set_skip(10'001);
  EXPECT_EQ(Field(request), "skip");
  request.set_skip(10'000);
  EXPECT_TRUE(ParseConnectionList(request).ok());
  request = {};
  request.set_page_size(-1);
  EXPECT_EQ(Field(request), "page_size");
  request = {};
  request.set_view(static_cast<admin::v1::ConnectionView>(9));
  EXPECT_EQ(Field(request), "view");
}

TEST(ConnectionListTest, ATokenGoesOnBehindTheLastPlace) {
  Request request;
  request.set_order_by("bytes_sent desc, age");
  request.set_page_token(NextToken(request, 70, {-1000, -3}));
  const auto list = ParseConnectionList(request);
  ASSERT_TRUE(list.ok()) << list.status();
  EXPECT_EQ(list->query.after, (OrderPlace{.terms = {-1000, -3}, .number = 7}));
}

TEST(ConnectionListTest, WithAFilterLaterPagesRepeatTheTotalOfTheFirst) {
  Request request;
  request.set_filter("worker = 1");
  EXPECT_EQ(
      PageToProto({.total = 70}, *ParseConnectionList(request)).total_size(),
      70);
  request.set_page_token(NextToken(request, 70, {}));
  const auto second = ParseConnectionList(request);
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_FALSE(second->query.count_matches);
  const auto page = PageToProto(
      {.last = OrderPlace{.number = 9}, .more = true, .total = 0}, *second);
  EXPECT_EQ(page.total_size(), 70);
  request.set_page_token(page.next_page_token());
  EXPECT_EQ(ParseConnectionList(request)->total, 70);
}

TEST(ConnectionListTest, ATokenIsBoundToFilterOrderAndView) {
  Request request;
  request.set_filter("worker = 1");
  request.set_order_by("age");
  request.set_page_token(NextToken(request, 1, {}));
  EXPECT_TRUE(ParseConnectionList(request).ok());

  Request other = request;
  other.set_filter(" (worker=1) ");
  other.set_order_by(" age ");
  EXPECT_TRUE(ParseConnectionList(other).ok()) << "the same, otherwise spelled";

  other = request;
  other.set_filter("worker = 2");
  EXPECT_EQ(Field(other), "page_token");
  other = request;
  other.clear_filter();
  EXPECT_EQ(Field(other), "page_token");
  other = request;
  other.set_order_by("age desc");
  EXPECT_EQ(Field(other), "page_token");
  other = request;
  other.set_view(admin::v1::CONNECTION_VIEW_FULL);
  EXPECT_EQ(Field(other), "page_token");
}

TEST(ConnectionListTest, RefusesADamagedToken) {
  Request request;
  request.set_order_by("age");
  std::string token;
  ASSERT_TRUE(absl::WebSafeBase64Unescape(NextToken(request, 1, {-5}), &token));
  ASSERT_EQ(token.substr(token.size() - 6), "7,1,-5");
  const std::string start = token.substr(0, token.size() - 6);
  for (const char* end : {"7,1", "7,1,-5,0", "7,1,", "7,1,x", "07,1,-5",
                          " 7,1,-5", "-7,1,-5", "7,x,-5", ","}) {
    request.set_page_token(absl::WebSafeBase64Escape(absl::StrCat(start, end)));
    EXPECT_EQ(Field(request), "page_token") << end;
  }
}

TEST(ConnectionListTest, SkipsToAPlaceAndCountsOnTheWay) {
  Request request;
  request.set_filter("worker = 1");
  request.set_skip(20);
  ConnectionList list = *ParseConnectionList(request);
  const ConnectionQuery skip = SkipQuery(list);
  EXPECT_EQ(skip.limit, 20);
  EXPECT_TRUE(skip.places_only && skip.count_matches);
  list = AfterSkip(std::move(list),
                   {.last = OrderPlace{.number = 33}, .total = 70});
  EXPECT_EQ(list.skip, 0);
  EXPECT_EQ(list.query.limit, 50);
  EXPECT_EQ(list.query.after, OrderPlace{.number = 33});
  EXPECT_FALSE(list.query.count_matches);
  EXPECT_EQ(PageToProto({}, list).total_size(), 70);
}

}  // namespace
}  // namespace echod
