// SPDX-License-Identifier: Apache-2.0

#include "admin/service/listener_update.h"

#include <cstddef>
#include <iterator>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "admin/service/duration_conversion.h"
#include "admin/service/resource_names.h"
#include "echo/control/control_error.h"

namespace echod {
namespace {

using admin::v1::Listener;

// While its connections live, a drain that is spread takes work of the loops.
constexpr absl::Duration kLongestSpread = absl::Hours(24);

// One field that can be changed.
struct MutableField {
  absl::string_view path;
  bool (*is_set)(const Listener& from);
  absl::Status (*copy)(const Listener& from, ListenerUpdate& to);
};

absl::Status CopyAddress(const Listener& from, ListenerUpdate& to) {
  if (from.address().empty()) {
    return InvalidFieldError("listener.address",
                             "the address is not set; write one, such as :: "
                             "for all, or leave it out of update_mask");
  }
  to.address = from.address();
  return absl::OkStatus();
}

// Without a value it is no wish for port 0, which would move the listener to
// wherever the kernel likes.
absl::Status CopyPort(const Listener& from, ListenerUpdate& to) {
  if (!from.has_port()) {
    return InvalidFieldError("listener.port",
                             "the port is not set; write one, 0 for one that "
                             "the kernel chooses, or leave it out of "
                             "update_mask");
  }
  to.port = from.port();
  return absl::OkStatus();
}

absl::Status CopyMode(const Listener& from, ListenerUpdate& to) {
  switch (from.mode()) {
    case Listener::MODE_LINE:
      to.mode = EchoMode::kLine;
      return absl::OkStatus();
    case Listener::MODE_RAW:
      to.mode = EchoMode::kRaw;
      return absl::OkStatus();
    default:
      return InvalidFieldError(
          "listener.mode",
          "choose MODE_LINE or MODE_RAW, or leave the mode "
          "out of update_mask");
  }
}

absl::Status CopyDuration(const google::protobuf::Duration& from,
                          absl::string_view field,
                          std::optional<absl::Duration>& to) {
  const absl::StatusOr<absl::Duration> duration = ParseDuration(from, field);
  if (!duration.ok()) return duration.status();
  to = *duration;
  return absl::OkStatus();
}

// What a field becomes that is in the mask and is not set.
const ListenerSettings& Defaults() {
  static const ListenerSettings* const kDefaults = new ListenerSettings;
  return *kDefaults;
}

const MutableField kMutableFields[] = {
    {"address", [](const Listener& from) { return !from.address().empty(); },
     CopyAddress},
    {"port", [](const Listener& from) { return from.has_port(); }, CopyPort},
    {"mode",
     [](const Listener& from) {
       return from.mode() != Listener::MODE_UNSPECIFIED;
     },
     CopyMode},
    {"max_connections",
     [](const Listener& from) { return from.has_max_connections(); },
     [](const Listener& from, ListenerUpdate& to) {
       to.max_connections = from.has_max_connections()
                                ? from.max_connections()
                                : Defaults().max_connections;
       return absl::OkStatus();
     }},
    {"max_connections_per_address",
     [](const Listener& from) {
       return from.has_max_connections_per_address();
     },
     [](const Listener& from, ListenerUpdate& to) {
       to.max_connections_per_address =
           from.has_max_connections_per_address()
               ? from.max_connections_per_address()
               : Defaults().max_connections_per_address;
       return absl::OkStatus();
     }},
    {"max_line_bytes",
     [](const Listener& from) { return from.has_max_line_bytes(); },
     [](const Listener& from, ListenerUpdate& to) {
       to.max_line_bytes = from.has_max_line_bytes()
                               ? from.max_line_bytes()
                               : Defaults().max_line_bytes;
       return absl::OkStatus();
     }},
    {"max_buffered_bytes",
     [](const Listener& from) { return from.has_max_buffered_bytes(); },
     [](const Listener& from, ListenerUpdate& to) {
       to.max_buffered_bytes = from.has_max_buffered_bytes()
                                   ? from.max_buffered_bytes()
                                   : Defaults().max_buffered_bytes;
       return absl::OkStatus();
     }},
    {"idle_timeout",
     [](const Listener& from) { return from.has_idle_timeout(); },
     [](const Listener& from, ListenerUpdate& to) {
       return CopyDuration(from.idle_timeout(), "listener.idle_timeout",
                           to.idle_timeout);
     }},
    {"max_connection_age",
     [](const Listener& from) { return from.has_max_connection_age(); },
     [](const Listener& from, ListenerUpdate& to) {
       return CopyDuration(from.max_connection_age(),
                           "listener.max_connection_age",
                           to.max_connection_age);
     }},
    {"write_stall_timeout",
     [](const Listener& from) { return from.has_write_stall_timeout(); },
     [](const Listener& from, ListenerUpdate& to) {
       return CopyDuration(from.write_stall_timeout(),
                           "listener.write_stall_timeout",
                           to.write_stall_timeout);
     }},
    {"backlog", [](const Listener& from) { return from.has_backlog(); },
     [](const Listener& from, ListenerUpdate& to) {
       to.backlog = from.has_backlog() ? from.backlog() : Defaults().backlog;
       return absl::OkStatus();
     }},
};

absl::StatusOr<std::vector<const MutableField*>> FieldsToChange(
    const admin::v1::UpdateListenerRequest& request) {
  std::vector<const MutableField*> fields;
  const auto& paths = request.update_mask().paths();
  if (paths.empty()) {
    for (const MutableField& field : kMutableFields) {
      if (field.is_set(request.listener())) fields.push_back(&field);
    }
    return fields;
  }
  for (const std::string& path : paths) {
    const std::size_t before = fields.size();
    for (const MutableField& field : kMutableFields) {
      if (path == "*" || path == field.path) fields.push_back(&field);
    }
    if (fields.size() > before) continue;
    std::string known;
    for (const MutableField& field : kMutableFields) {
      absl::StrAppend(&known, known.empty() ? "" : ", ", field.path);
    }
    const bool exists =
        Listener::descriptor()->FindFieldByName(path) != nullptr;
    return InvalidFieldError(
        "update_mask", absl::StrCat("'", path, "' is ",
                                    exists ? "not a field that can be changed"
                                           : "no field of a listener",
                                    "; choose of ", known, ", or *"));
  }
  return fields;
}

absl::StatusOr<DrainPolicy> ParseDrainPolicy(
    const admin::v1::DrainPolicy& proto) {
  DrainPolicy drain;
  switch (proto.mode()) {
    case admin::v1::DrainPolicy::MODE_UNSPECIFIED:
    case admin::v1::DrainPolicy::MODE_KEEP:
      drain.mode = DrainPolicy::Mode::kKeep;
      break;
    case admin::v1::DrainPolicy::MODE_GRACEFUL:
      drain.mode = DrainPolicy::Mode::kGraceful;
      break;
    case admin::v1::DrainPolicy::MODE_RESET:
      drain.mode = DrainPolicy::Mode::kReset;
      break;
    default:
      return InvalidFieldError("drain.mode",
                               "choose MODE_KEEP, MODE_GRACEFUL or MODE_RESET");
  }
  if (proto.has_timeout()) {
    const auto timeout =
        ParseDurationUpTo(kLongestDrain, proto.timeout(), "drain.timeout");
    if (!timeout.ok()) return timeout.status();
    drain.timeout = *timeout;
  }
  const auto spread =
      ParseDurationUpTo(kLongestSpread, proto.spread(), "drain.spread");
  if (!spread.ok()) return spread.status();
  drain.spread = *spread;
  return drain;
}

}  // namespace

absl::StatusOr<ListenerUpdate> ParseListenerUpdate(
    const admin::v1::UpdateListenerRequest& request) {
  absl::StatusOr<std::string> id =
      ParseListenerName(request.listener().name(), "listener.name");
  if (!id.ok()) return id.status();
  const auto fields = FieldsToChange(request);
  if (!fields.ok()) return fields.status();
  const auto drain = ParseDrainPolicy(request.drain());
  if (!drain.ok()) return drain.status();

  ListenerUpdate update;
  update.id = *std::move(id);
  update.etag = request.listener().etag();
  update.validate_only = request.validate_only();
  update.drain = *drain;
  for (const MutableField* field : *fields) {
    absl::Status copied = field->copy(request.listener(), update);
    if (!copied.ok()) return copied;
  }
  return update;
}

absl::Status ListenerFieldError(const absl::Status& status) {
  ErrorDetail detail = GetErrorDetail(status);
  if (detail.field.empty()) return status;
  detail.field = absl::StrCat("listener.", detail.field);
  return ControlError(status.code(), status.message(), detail);
}

}  // namespace echod
