// SPDX-License-Identifier: Apache-2.0

#include "echo/control/connection_control.h"

#include <cstddef>
#include <utility>
#include <vector>

#include "echo/control/connection_info.h"

namespace echod {

ConnectionPage MergeParts(ConnectionParts parts) {
  ConnectionPage page;
  page.total = parts.total;
  page.connections.reserve(parts.limit);
  std::vector<std::size_t> next(parts.workers.size(), 0);
  for (;;) {
    ConnectionInfo* lowest = nullptr;
    std::size_t from = 0;
    for (std::size_t i = 0; i < parts.workers.size(); ++i) {
      if (next[i] == parts.workers[i].size()) continue;
      ConnectionInfo& candidate = parts.workers[i][next[i]];
      if (lowest != nullptr && lowest->number < candidate.number) continue;
      lowest = &candidate;
      from = i;
    }
    if (lowest == nullptr) return page;
    if (page.connections.size() == parts.limit) {
      page.more = true;
      return page;
    }
    page.connections.push_back(std::move(*lowest));
    ++next[from];
  }
}

}  // namespace echod
