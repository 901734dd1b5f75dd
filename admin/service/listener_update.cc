// SPDX-License-Identifier: Apache-2.0

#include "admin/service/listener_update.h"

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
#include "echo/control/control_error.h"
#include "echo/control/settings_table.h"

namespace echod {
namespace {

using admin::v1::Listener;

// A spread drain costs the loops work for as long as its connections live.
constexpr absl::Duration kLongestSpread = absl::Hours(24);

absl::Status CopyAddress(const Listener& from, ListenerUpdate& to) {
  if (from.address().empty()) {
    return InvalidFieldError("listener.address",
                             "the address is not set; write one, such as :: "
                             "for all, or leave it out of update_mask");
  }
  to.address = from.address();
  return absl::OkStatus();
}

// A port that is not set does not mean port 0, which would move the listener to
// whatever port the kernel chooses.
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
  absl::Status copied;
  if (changes("address", !from.address().empty())) {
    copied.Update(CopyAddress(from, update));
  }
  if (changes("port", from.has_port())) copied.Update(CopyPort(from, update));
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

absl::Status ListenerFieldError(const absl::Status& status) {
  ErrorDetail detail = GetErrorDetail(status);
  if (detail.field.empty()) return status;
  detail.field = absl::StrCat("listener.", detail.field);
  return ControlError(status.code(), status.message(), detail);
}

}  // namespace echod
