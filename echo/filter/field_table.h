// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_FILTER_FIELD_TABLE_H_
#define ECHO_FILTER_FIELD_TABLE_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "echo/control/connection_fields.h"

namespace echod {

// What kind of value a field has: it decides which operators apply to the
// field, and how its values are written.
enum class FieldType : std::uint8_t {
  kConnectionName,
  kListenerName,
  kNumber,
  kBytes,
  kState,
  kBoolean,
  kAddress,
  kTime,
  kDuration,
};

struct FieldRow {
  absl::string_view name;  // as in admin.proto, but for derived fields
  ConnectionField field;
  FieldType type;
  bool sortable;  // in `order_by`
};

// The fields of filters and of `order_by`. docs/admin_api.md has a row for each
// of them.
inline constexpr FieldRow kConnectionFields[] = {
    {"name", ConnectionField::kName, FieldType::kConnectionName, true},
    {"listener", ConnectionField::kListener, FieldType::kListenerName, false},
    {"listener_generation", ConnectionField::kListenerGeneration,
     FieldType::kNumber, true},
    {"worker", ConnectionField::kWorker, FieldType::kNumber, true},
    {"state", ConnectionField::kState, FieldType::kState, false},
    {"remote_address", ConnectionField::kRemoteAddress, FieldType::kAddress,
     false},
    {"local_address", ConnectionField::kLocalAddress, FieldType::kAddress,
     false},
    {"create_time", ConnectionField::kCreateTime, FieldType::kTime, true},
    {"last_active_time", ConnectionField::kLastActiveTime, FieldType::kTime,
     true},
    {"bytes_received", ConnectionField::kBytesReceived, FieldType::kBytes,
     true},
    {"bytes_sent", ConnectionField::kBytesSent, FieldType::kBytes, true},
    {"bytes_buffered", ConnectionField::kBytesBuffered, FieldType::kBytes,
     true},
    {"lines_echoed", ConnectionField::kLinesEchoed, FieldType::kNumber, true},
    {"reading_paused", ConnectionField::kReadingPaused, FieldType::kBoolean,
     false},
    {"age", ConnectionField::kAge, FieldType::kDuration, true},
    {"idle", ConnectionField::kIdle, FieldType::kDuration, true},
};

// The row of this name; null if there is none.
constexpr const FieldRow* FieldNamed(absl::string_view name) {
  for (const FieldRow& row : kConnectionFields) {
    if (row.name == name) return &row;
  }
  return nullptr;
}

// A hint for an error about an unknown field: the one that was probably meant,
// of all or of the sortable ones, or all that there are.
std::string UnknownFieldHint(absl::string_view name, bool sortable_only);

}  // namespace echod

#endif  // ECHO_FILTER_FIELD_TABLE_H_
