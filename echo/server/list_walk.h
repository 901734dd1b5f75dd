// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_SERVER_LIST_WALK_H_
#define ECHO_SERVER_LIST_WALK_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "absl/container/btree_map.h"
#include "echo/base/clock.h"
#include "echo/control/connection_control.h"
#include "echo/control/connection_order.h"
#include "echo/server/operator_jobs.h"
#include "echo/session/connection.h"

namespace echod {

// Finds what one worker has for a page of connections, in parts that fit a
// turn's budget. Every connection that it looks at has a cost, whether it is on
// the page or not. Where the page has an order, the walk is over all
// connections; it keeps only the first of those seen so far, and describes them
// in the end. Loop thread only.
class ListWalk {
 public:
  using Connections =
      absl::btree_map<std::uint64_t, std::unique_ptr<Connection>>;

  explicit ListWalk(const ConnectionQuery& query);

  // Continues with the worker's connections of this moment. True when the part
  // is complete, false when the budget is exhausted. It is empty once nobody
  // waits for it.
  bool Continue(const Connections& connections, MonotonicTime now,
                OperatorJobs::Budget& budget);

  // Once, when it is complete.
  ConnectionPart TakePart() { return std::move(part_); }

 private:
  using Budget = OperatorJobs::Budget;

  bool is_full() const { return part_.places.size() == capacity_; }
  void Consider(const Connection& connection, Budget& budget);
  void KeepFirst(const OrderPlace& place);
  void Describe(const Connection* connection, Budget& budget);

  const ConnectionQuery query_;
  const std::size_t capacity_;
  std::uint64_t seen_ = 0;  // it has looked at those up to this number
  ConnectionPart part_;     // with an order, the places are a heap
};

}  // namespace echod

#endif  // ECHO_SERVER_LIST_WALK_H_
