// SPDX-License-Identifier: Apache-2.0

#include "echo/server/rejection_log.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace echod {
namespace {

// In the order of Limit.
constexpr const char* kNames[RejectionLog::kLimits] = {
    "max_connections", "max_total_connections", "max_connections_per_address"};

}  // namespace

RejectionLog::RejectionLog(EventLoop& loop, std::string listener,
                           std::function<void(const std::string&)> write,
                           absl::Duration interval)
    : listener_(std::move(listener)),
      write_(std::move(write)),
      interval_(interval),
      timer_(loop, [this] { Report(); }) {}

void RejectionLog::Note(Limit limit) {
  ++counts_[limit];
  if (!timer_.armed()) Report();
}

void RejectionLog::Report() {
  std::vector<std::string> parts;
  for (std::size_t limit = 0; limit < kLimits; ++limit) {
    const std::int64_t count = std::exchange(counts_[limit], 0);
    if (count == 0) continue;
    parts.push_back(absl::StrCat(count, " over ", kNames[limit]));
  }
  if (parts.empty()) return;
  write_(absl::StrCat("listener ", listener_, " has reset new connections: ",
                      absl::StrJoin(parts, ", "),
                      "; raise the limit, or see with ListConnections who is "
                      "connected"));
  timer_.Arm(interval_);
}

}  // namespace echod
