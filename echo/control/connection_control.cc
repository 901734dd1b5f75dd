// SPDX-License-Identifier: Apache-2.0

#include "echo/control/connection_control.h"

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "echo/control/connection_info.h"
#include "echo/control/connection_order.h"

namespace echod {

ConnectionPage MergeParts(ConnectionParts parts) {
  struct Row {
    OrderPlace place;
    ConnectionInfo* connection;  // null: only the place
  };
  std::vector<Row> rows;
  for (ConnectionPart& part : parts.workers) {
    for (std::size_t i = 0; i < part.places.size(); ++i) {
      const bool described = i < part.connections.size();
      rows.push_back(
          {.place = part.places[i],
           .connection = described ? &part.connections[i] : nullptr});
    }
  }
  const std::size_t count = std::min(rows.size(), parts.limit);
  const auto end = rows.begin() + static_cast<std::ptrdiff_t>(count);
  std::partial_sort(
      rows.begin(), end, rows.end(),
      [](const Row& a, const Row& b) { return a.place < b.place; });

  ConnectionPage page;
  page.total = parts.total;
  page.more = rows.size() > count;
  for (auto row = rows.begin(); row != end; ++row) {
    page.last = row->place;
    if (row->connection != nullptr && row->connection->number != 0) {
      page.connections.push_back(std::move(*row->connection));
    }
  }
  return page;
}

}  // namespace echod
