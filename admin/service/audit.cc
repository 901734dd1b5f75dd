// SPDX-License-Identifier: Apache-2.0

#include "admin/service/audit.h"

#include <google/protobuf/util/json_util.h>

#include "absl/strings/strip.h"
#include "admin/transport/admin_peer.h"

namespace echod {
namespace {

bool IsValidateOnly(const google::protobuf::Message& request) {
  const auto* const field =
      request.GetDescriptor()->FindFieldByName("validate_only");
  return field != nullptr && request.GetReflection()->GetBool(request, field);
}

// By the convention that its request is named after it.
std::string MethodOf(const google::protobuf::Message& request) {
  const std::string& name = request.GetDescriptor()->name();
  return std::string(absl::StripSuffix(name, "Request"));
}

std::string JsonOf(const google::protobuf::Message& request) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  std::string json;
  if (!google::protobuf::util::MessageToJsonString(request, &json, options)
           .ok()) {
    return "not to be shown as JSON";  // such as a duration out of range
  }
  return json;
}

}  // namespace

void Audit::Write(const absl::Status& outcome) const {
  if (IsValidateOnly(request_)) return;
  AuditRecord record;
  record.peer = ClientOfPeer(context_.peer());
  record.method = MethodOf(request_);
  record.resource = resource_;
  record.request = JsonOf(request_);
  if (changes_) record.changes = changes_();
  LogChange(record, outcome);
}

}  // namespace echod
