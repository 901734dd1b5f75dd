// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_CONTROL_AUDIT_RECORD_H_
#define ECHO_CONTROL_AUDIT_RECORD_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "echo/control/listener_control.h"

// The line that the log has about each change that somebody asks for while
// echod runs, whether it was made or not. All functions are thread-safe.

namespace echod {

// A value that has changed, as text.
struct AuditChange {
  std::string field;
  std::string before;
  std::string after;
};

struct AuditRecord {
  // Who asked: a client's host:port, or whatever else made the change.
  std::string peer;
  std::string method;    // of the API, such as UpdateListener
  std::string resource;  // its name, such as listeners/default
  std::string request;   // the arguments, as JSON; empty: none
  std::vector<AuditChange> changes;
};

// The fields in which `after` differs from `before`, the same listener.
std::vector<AuditChange> ListenerChanges(const ListenerInfo& before,
                                         const ListenerInfo& after);

// The record and its outcome as a JSON object, in one line of ASCII of at most
// kMostAuditBytes. What is too long is cut, and the member `truncated` says so.
inline constexpr std::size_t kMostAuditBytes = 4000;
std::string AuditText(const AuditRecord& record, const absl::Status& outcome);

// Logs it, at any level but `off`.
void LogChange(const AuditRecord& record, const absl::Status& outcome);

}  // namespace echod

#endif  // ECHO_CONTROL_AUDIT_RECORD_H_
