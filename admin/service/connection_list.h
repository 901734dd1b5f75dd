// SPDX-License-Identifier: Apache-2.0

#ifndef ADMIN_SERVICE_CONNECTION_LIST_H_
#define ADMIN_SERVICE_CONNECTION_LIST_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "echo/control/connection_control.h"
#include "echod/admin/v1/admin.pb.h"

namespace echod {

// A request for a page of connections.
struct ConnectionList {
  ConnectionQuery query;
  int skip = 0;            // connections to leave out before the page
  std::string key;         // what its page token is bound to
  std::int64_t total = 0;  // with a filter, and unless the query counts
};

// Reads a request. INVALID_ARGUMENT that names the field if it is not valid.
absl::StatusOr<ConnectionList> ParseConnectionList(
    const admin::v1::ListConnectionsRequest& request);

// The query that finds the place after which the page of `list` begins, if it
// skips connections; and the list that is left to do when the query has had
// this result.
ConnectionQuery SkipQuery(const ConnectionList& list);
ConnectionList AfterSkip(ConnectionList list, const ConnectionPage& skipped);

// The answer to `list`.
admin::v1::ListConnectionsResponse PageToProto(const ConnectionPage& page,
                                               const ConnectionList& list);

}  // namespace echod

#endif  // ADMIN_SERVICE_CONNECTION_LIST_H_
