// SPDX-License-Identifier: Apache-2.0

#include "echo/server/list_walk.h"

#include <algorithm>
#include <vector>

#include "echo/control/connection_info.h"
#include "echo/session/live_fields.h"

namespace echod {

ListWalk::ListWalk(const ConnectionQuery& query)
    : query_(query),
      // One more tells whether there is a next page.
      capacity_(static_cast<std::size_t>(query.limit) + 1) {
  if (query.order.empty() && query.after.has_value() && !query.count_matches) {
    seen_ = query.after->number;
  }
}

bool ListWalk::Continue(const Connections& connections, MonotonicTime now,
                        Budget& budget) {
  if (IsAbandoned(query_.abandonment)) {
    part_ = {};
    return true;
  }
  const bool to_the_end = !query_.order.empty() || query_.count_matches;
  const int look = OperatorJobs::kLook +
                   (query_.filter != nullptr ? query_.filter->cost() : 0);
  auto it = connections.upper_bound(seen_);
  for (; it != connections.end() && (to_the_end || !is_full()); ++it) {
    if (budget.exhausted()) return false;
    budget.Spend(look);
    seen_ = it->first;
    const Connection& connection = *it->second;
    if (query_.filter != nullptr &&
        !query_.filter->Matches(LiveFields(connection), now)) {
      continue;
    }
    ++part_.matches;
    Consider(connection, budget);
  }
  while (!query_.places_only &&
         part_.connections.size() < part_.places.size()) {
    if (budget.exhausted()) return false;
    const OrderPlace& place = part_.places[part_.connections.size()];
    const auto found = connections.find(place.number);
    Describe(found == connections.end() ? nullptr : found->second.get(),
             budget);
  }
  return true;
}

void ListWalk::Consider(const Connection& connection, Budget& budget) {
  const OrderPlace place = PlaceOf(LiveFields(connection), query_.order);
  if (query_.after.has_value() && !(*query_.after < place)) return;
  if (!query_.order.empty()) return KeepFirst(place);
  if (is_full()) return;
  part_.places.push_back(place);
  if (!query_.places_only) Describe(&connection, budget);
}

void ListWalk::KeepFirst(const OrderPlace& place) {
  std::vector<OrderPlace>& heap = part_.places;  // the last of them on top
  if (is_full()) {
    if (!(place < heap.front())) return;
    std::pop_heap(heap.begin(), heap.end());
    heap.back() = place;
  } else {
    heap.push_back(place);
  }
  std::push_heap(heap.begin(), heap.end());
}

void ListWalk::Describe(const Connection* connection, Budget& budget) {
  part_.connections.push_back(connection == nullptr
                                  ? ConnectionInfo{}
                                  : connection->Describe(query_.with_tcp_info));
  budget.Spend(query_.with_tcp_info ? OperatorJobs::kDescribeWithTcpInfo
                                    : OperatorJobs::kDescribe);
}

}  // namespace echod
