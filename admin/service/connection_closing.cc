// SPDX-License-Identifier: Apache-2.0

#include "admin/service/connection_closing.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "admin/service/duration_conversion.h"
#include "admin/service/proto_conversion.h"
#include "echo/control/connection_info.h"
#include "echo/control/control_error.h"
#include "echo/filter/connection_filter.h"

namespace echod {

absl::StatusOr<CloseMode> ParseCloseMode(
    admin::v1::CloseConnectionRequest::Mode mode) {
  if (!admin::v1::CloseConnectionRequest::Mode_IsValid(mode)) {
    return InvalidFieldError("mode", "choose MODE_GRACEFUL or MODE_RESET");
  }
  return mode == admin::v1::CloseConnectionRequest::MODE_RESET
             ? CloseMode::kReset
             : CloseMode::kGraceful;
}

absl::StatusOr<ConnectionClosing> ParseConnectionClosing(
    const admin::v1::CloseConnectionsRequest& request) {
  ConnectionClosing closing;
  const absl::StatusOr<CloseMode> mode = ParseCloseMode(request.mode());
  if (!mode.ok()) return mode.status();
  closing.mode = *mode;
  const auto spread =
      ParseDurationUpTo(kLongestSpread, request.spread(), "spread");
  if (!spread.ok()) return spread.status();
  closing.spread = *spread;
  closing.validate_only = request.validate_only();

  if (request.filter().empty()) {
    if (request.all()) return closing;
    return InvalidFieldError("filter",
                             "the filter is empty; write one, or set all to "
                             "close every connection");
  }
  if (request.all()) {
    return InvalidFieldError("all", "all and filter are both set; choose one");
  }
  auto filter = ConnectionFilter::Compile(request.filter());
  if (!filter.ok()) return filter.status();
  closing.filter = *std::move(filter);
  return closing;
}

admin::v1::CloseConnectionsResponse ToProto(ClosedConnections& closed) {
  admin::v1::CloseConnectionsResponse response;
  response.set_closed_count(static_cast<std::int32_t>(std::min<std::int64_t>(
      closed.count, std::numeric_limits<std::int32_t>::max())));
  std::vector<ConnectionInfo>& sample = closed.sample;
  std::sort(sample.begin(), sample.end(),
            [](const ConnectionInfo& a, const ConnectionInfo& b) {
              return a.number < b.number;
            });
  sample.resize(std::min(sample.size(), ClosedConnections::kMostSampled));
  for (const ConnectionInfo& each : sample) {
    *response.add_sample() = ToProto(each);
  }
  return response;
}

}  // namespace echod
