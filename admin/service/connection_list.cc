// SPDX-License-Identifier: Apache-2.0

#include "admin/service/connection_list.h"

#include <algorithm>
#include <cstddef>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "admin/service/page_token.h"
#include "admin/service/proto_conversion.h"
#include "echo/control/connection_order.h"
#include "echo/control/control_error.h"
#include "echo/filter/connection_filter.h"
#include "echo/filter/order_by.h"

namespace echod {
namespace {

// Bounds the memory that places of skipped connections take.
constexpr int kMostSkipped = 10'000;

// What a page token carries: where the next page begins, and the total.
struct Position {
  OrderPlace last;
  std::int64_t total = 0;
};

std::string PrintPosition(const Position& position, std::size_t terms) {
  std::string text = absl::StrCat(position.last.number, ",", position.total);
  for (std::size_t i = 0; i < terms; ++i) {
    absl::StrAppend(&text, ",", position.last.terms[i]);
  }
  return text;
}

std::optional<Position> ParsePosition(absl::string_view text,
                                      std::size_t terms) {
  const std::vector<absl::string_view> parts = absl::StrSplit(text, ',');
  Position position;
  if (parts.size() != 2 + terms ||
      !absl::SimpleAtoi(parts[0], &position.last.number) ||
      !absl::SimpleAtoi(parts[1], &position.total)) {
    return std::nullopt;
  }
  for (std::size_t i = 0; i < terms; ++i) {
    if (!absl::SimpleAtoi(parts[2 + i], &position.last.terms[i])) {
      return std::nullopt;
    }
  }
  if (PrintPosition(position, terms) != text) return std::nullopt;
  return position;
}

}  // namespace

absl::StatusOr<ConnectionList> ParseConnectionList(
    const admin::v1::ListConnectionsRequest& request) {
  ConnectionList list;
  ConnectionQuery& query = list.query;
  if (!admin::v1::ConnectionView_IsValid(request.view())) {
    return InvalidFieldError(
        "view", "choose CONNECTION_VIEW_BASIC or CONNECTION_VIEW_FULL");
  }
  query.with_tcp_info = request.view() == admin::v1::CONNECTION_VIEW_FULL;

  const auto page_size = EffectivePageSize(request.page_size());
  if (!page_size.ok()) return page_size.status();
  query.limit = *page_size;

  list.key = absl::StrCat("connections view=", request.view());
  if (!request.filter().empty()) {
    auto filter = ConnectionFilter::Compile(request.filter());
    if (!filter.ok()) return filter.status();
    // A filter may be long, and the token travels with each page.
    absl::StrAppend(&list.key, " filter=",
                    absl::Hex(std::hash<std::string>()((*filter)->text())));
    query.filter = *std::move(filter);
  }
  absl::StatusOr<ConnectionOrder> order = ParseOrderBy(request.order_by());
  if (!order.ok()) return order.status();
  query.order = *std::move(order);
  if (!query.order.empty()) {
    absl::StrAppend(&list.key, " order_by=", PrintOrderBy(query.order));
  }

  if (request.skip() < 0 || request.skip() > kMostSkipped) {
    return InvalidFieldError(
        "skip",
        absl::StrCat(request.skip(), " is out of range; choose 0 to ",
                     kMostSkipped, ", and go further by page_token or filter"));
  }
  list.skip = request.skip();

  const auto token = ParsePageToken(list.key, request.page_token());
  if (!token.ok()) return token.status();
  if (token->empty()) {
    query.count_matches = query.filter != nullptr;
    return list;
  }
  const auto position = ParsePosition(*token, query.order.size());
  if (!position.has_value()) {
    return InvalidFieldError("page_token", "the token is damaged");
  }
  query.after = position->last;
  list.total = position->total;
  return list;
}

ConnectionQuery SkipQuery(const ConnectionList& list) {
  ConnectionQuery query = list.query;
  query.limit = list.skip;
  query.places_only = true;
  return query;
}

ConnectionList AfterSkip(ConnectionList list, const ConnectionPage& skipped) {
  list.skip = 0;
  if (list.query.count_matches) list.total = skipped.total;
  list.query.count_matches = false;
  if (skipped.last.has_value()) list.query.after = skipped.last;
  return list;
}

admin::v1::ListConnectionsResponse PageToProto(const ConnectionPage& page,
                                               const ConnectionList& list) {
  admin::v1::ListConnectionsResponse response;
  for (const ConnectionInfo& connection : page.connections) {
    *response.add_connections() = ToProto(connection);
  }
  const bool counted = list.query.filter == nullptr || list.query.count_matches;
  const std::int64_t total = counted ? page.total : list.total;
  response.set_total_size(static_cast<std::int32_t>(
      std::min<std::int64_t>(total, std::numeric_limits<std::int32_t>::max())));
  if (page.more && page.last.has_value()) {
    response.set_next_page_token(MakePageToken(
        list.key, PrintPosition({.last = *page.last, .total = total},
                                list.query.order.size())));
  }
  return response;
}

}  // namespace echod
