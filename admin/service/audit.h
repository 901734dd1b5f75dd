// SPDX-License-Identifier: Apache-2.0

#ifndef ADMIN_SERVICE_AUDIT_H_
#define ADMIN_SERVICE_AUDIT_H_

#include <google/protobuf/message.h>
#include <grpcpp/server_context.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "echo/control/audit_record.h"

namespace echod {

// The audit line of one request that changes something. Each method that does
// makes one first of all, and ends through FinishNow or FinishLater with it, so
// that the line is written when the outcome is known, whatever it is. Used by
// one thread at a time.
class Audit {
 public:
  // `resource` is the name of what the request is for, as the client wrote it.
  // Nothing is logged for a request whose field `validate_only` is set: it
  // changes nothing. `context` and `request` are borrowed until Write.
  Audit(const grpc::CallbackServerContext& context,
        const google::protobuf::Message& request, absl::string_view resource)
      : context_(context), request_(request), resource_(resource) {}

  // `changes` is called by Write, and returns what the request has changed.
  void DescribeChanges(std::function<std::vector<AuditChange>()> changes) {
    changes_ = std::move(changes);
  }

  // Writes the line. Once, before the RPC is finished, and not on a loop.
  void Write(const absl::Status& outcome) const;

 private:
  const grpc::CallbackServerContext& context_;
  const google::protobuf::Message& request_;
  const std::string resource_;
  std::function<std::vector<AuditChange>()> changes_;
};

}  // namespace echod

#endif  // ADMIN_SERVICE_AUDIT_H_
