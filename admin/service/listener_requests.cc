// SPDX-License-Identifier: Apache-2.0

#include "admin/service/listener_requests.h"

#include <google/protobuf/field_mask.pb.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "admin/service/duration_conversion.h"
#include "admin/service/resource_names.h"
#include "admin/service/setting_conversion.h"
#include "echo/base/listen_address.h"
#include "echo/control/control_error.h"
#include "echo/control/listener_settings.h"
#include "echo/control/settings_table.h"
#include "echo/control/settings_update.h"

namespace echod {
namespace {

using admin::v1::Listener;

absl::StatusOr<std::string> AddressOf(const Listener& listener) {
  if (listener.address().empty()) {
    return InvalidFieldError("listener.address",
                             "the address is not set; write one, such as :: "
                             "for all");
  }
  return listener.address();
}

// A port that is not set does not mean port 0, which would open the listener on
// whatever port the kernel chooses.
absl::StatusOr<int> PortOf(const Listener& listener) {
  if (IsUnixAddress(listener.address())) {
    if (!listener.has_port()) return 0;
    return InvalidFieldError(
        "listener.port", "the path of a Unix socket has no port; leave it out");
  }
  if (!listener.has_port()) {
    return InvalidFieldError("listener.port",
                             "the port is not set; write one, or 0 for one "
                             "that the kernel chooses");
  }
  return listener.port();
}

// Adds to an error about a field of an update.
absl::Status InMask(const absl::Status& status) {
  return ControlError(
      status.code(),
      absl::StrCat(status.message(), "; or leave it out of update_mask"),
      GetErrorDetail(status));
}

// The paths that a mask may have, besides *.
std::vector<std::string> MutablePaths() {
  std::vector<std::string> paths = {"address", "port"};
  for (const Setting& setting : SettingsTable()) {
    paths.emplace_back(setting.name);
  }
  return paths;
}

absl::Status CheckMask(const google::protobuf::FieldMask& mask) {
  const std::vector<std::string> known = MutablePaths();
  for (const std::string& path : mask.paths()) {
    if (path == "*" ||
        std::find(known.begin(), known.end(), path) != known.end()) {
      continue;
    }
    const bool exists =
        Listener::descriptor()->FindFieldByName(path) != nullptr;
    return InvalidFieldError(
        "update_mask",
        absl::StrCat("'", path, "' is ",
                     exists ? "not a field that can be changed"
                            : "no field of a listener",
                     "; choose of ", absl::StrJoin(known, ", "), ", or *"));
  }
  return absl::OkStatus();
}

// Copies the fields that the request changes.
absl::Status CopyFields(const admin::v1::UpdateListenerRequest& request,
                        ListenerUpdate& update) {
  const Listener& from = request.listener();
  const auto& paths = request.update_mask().paths();
  const auto changes = [&](absl::string_view field, bool is_set) {
    if (paths.empty()) return is_set;
    return std::any_of(
        paths.begin(), paths.end(),
        [&](const std::string& path) { return path == "*" || path == field; });
  };
  if (changes("address", !from.address().empty())) {
    absl::StatusOr<std::string> address = AddressOf(from);
    if (!address.ok()) return InMask(address.status());
    update.address = *std::move(address);
  }
  const bool without_port = IsUnixAddress(from.address()) && !from.has_port();
  if (changes("port", from.has_port()) && !without_port) {
    const absl::StatusOr<int> port = PortOf(from);
    if (!port.ok()) return InMask(port.status());
    update.port = *port;
  }
  absl::Status copied;
  for (const Setting& setting : SettingsTable()) {
    if (changes(setting.name, HasSetting(setting, from))) {
      copied.Update(SettingFromProto(setting, from, update.settings));
    }
  }
  return copied;  // the first error
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

template <typename Request>
absl::StatusOr<ListenerPause> ParsePause(bool paused, const Request& request) {
  absl::StatusOr<std::string> id = ParseListenerName(request.name(), "name");
  if (!id.ok()) return std::move(id).status();
  return ListenerPause{.id = *std::move(id),
                       .paused = paused,
                       .etag = request.etag(),
                       .validate_only = request.validate_only()};
}

}  // namespace

absl::StatusOr<ListenerUpdate> ParseListenerUpdate(
    const admin::v1::UpdateListenerRequest& request) {
  absl::StatusOr<std::string> id =
      ParseListenerName(request.listener().name(), "listener.name");
  if (!id.ok()) return id.status();
  absl::Status valid = CheckMask(request.update_mask());
  if (!valid.ok()) return valid;
  const auto drain = ParseDrainPolicy(request.drain());
  if (!drain.ok()) return drain.status();

  ListenerUpdate update;
  update.id = *std::move(id);
  update.etag = request.listener().etag();
  update.validate_only = request.validate_only();
  update.drain = *drain;
  absl::Status copied = CopyFields(request, update);
  if (!copied.ok()) return copied;
  return update;
}

absl::StatusOr<ListenerCreation> ParseListenerCreation(
    const admin::v1::CreateListenerRequest& request) {
  const Listener& from = request.listener();
  absl::StatusOr<std::string> address = AddressOf(from);
  if (!address.ok()) return std::move(address).status();
  const absl::StatusOr<int> port = PortOf(from);
  if (!port.ok()) return port.status();

  SettingsUpdate settings;
  for (const Setting& setting : SettingsTable()) {
    if (!HasSetting(setting, from)) continue;
    absl::Status copied = SettingFromProto(setting, from, settings);
    if (!copied.ok()) return copied;
  }
  return ListenerCreation{.id = request.listener_id(),
                          .address = *std::move(address),
                          .port = *port,
                          .settings = settings.ApplyTo(ListenerSettings()),
                          .validate_only = request.validate_only()};
}

absl::StatusOr<ListenerPause> ParseListenerPause(
    const admin::v1::PauseListenerRequest& request) {
  return ParsePause(/*paused=*/true, request);
}

absl::StatusOr<ListenerPause> ParseListenerPause(
    const admin::v1::ResumeListenerRequest& request) {
  return ParsePause(/*paused=*/false, request);
}

absl::StatusOr<ListenerDeletion> ParseListenerDeletion(
    const admin::v1::DeleteListenerRequest& request) {
  absl::StatusOr<std::string> id = ParseListenerName(request.name(), "name");
  if (!id.ok()) return std::move(id).status();
  const auto drain = ParseDrainPolicy(request.drain());
  if (!drain.ok()) return drain.status();
  return ListenerDeletion{.id = *std::move(id),
                          .etag = request.etag(),
                          .validate_only = request.validate_only(),
                          .drain = *drain};
}

absl::Status ListenerFieldError(const absl::Status& status) {
  ErrorDetail detail = GetErrorDetail(status);
  if (detail.field.empty()) return status;
  detail.field = detail.field == "id" ? "listener_id"
                                      : absl::StrCat("listener.", detail.field);
  return ControlError(status.code(), status.message(), detail);
}

}  // namespace echod
