// SPDX-License-Identifier: Apache-2.0

#include "echo/control/audit_record.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "echo/base/logging.h"
#include "echo/base/named_values.h"
#include "echo/control/control_error.h"
#include "echo/control/settings_table.h"

namespace echod {
namespace {

using Json = nlohmann::ordered_json;

// Bytes of JSON. Together with the names of the members less than
// kMostAuditBytes.
constexpr std::size_t kMostNameBytes = 300;
constexpr std::size_t kMostRequestBytes = 1200;
constexpr std::size_t kMostChangesBytes = 1200;
constexpr std::size_t kMostChangeBytes = 400;
constexpr std::size_t kMostMessageBytes = 400;

// An escape such as \u001b stands for one byte.
constexpr std::size_t kMostBytesOfEscape = 6;

std::string Dump(const Json& json) {
  return json.dump(-1, ' ', /*ensure_ascii=*/true,
                   Json::error_handler_t::replace);
}

// `text` as a string of at most `most` bytes of JSON.
Json Bounded(absl::string_view text, std::size_t most, bool& truncated) {
  Json whole = std::string(text);
  if (Dump(whole).size() <= most) return whole;
  truncated = true;
  return absl::StrCat(text.substr(0, most / kMostBytesOfEscape - 1), "...");
}

Json RequestJson(const std::string& request, bool& truncated) {
  Json parsed = Json::parse(request, nullptr, /*allow_exceptions=*/false);
  if (!parsed.is_discarded() && Dump(parsed).size() <= kMostRequestBytes) {
    return parsed;
  }
  return Bounded(request, kMostRequestBytes, truncated);
}

Json ChangesJson(const std::vector<AuditChange>& changes, bool& truncated) {
  Json json = Json::object();
  std::size_t bytes = 0;
  for (const AuditChange& change : changes) {
    Json values;
    values["before"] = Bounded(change.before, kMostChangeBytes, truncated);
    values["after"] = Bounded(change.after, kMostChangeBytes, truncated);
    bytes += Dump(change.field).size() + Dump(values).size() + 2;
    if (bytes > kMostChangesBytes) {
      truncated = true;
      break;
    }
    json[change.field] = std::move(values);
  }
  return json;
}

std::string CodeName(const absl::Status& status) {
  return absl::StatusCodeToString(status.code());
}

}  // namespace

std::vector<AuditChange> ListenerChanges(const ListenerInfo& before,
                                         const ListenerInfo& after) {
  std::vector<AuditChange> changes;
  const auto compare = [&](absl::string_view field, std::string old_value,
                           std::string new_value) {
    if (old_value == new_value) return;
    changes.push_back({.field = std::string(field),
                       .before = std::move(old_value),
                       .after = std::move(new_value)});
  };
  compare("address", before.address, after.address);
  compare("port", absl::StrCat(before.port), absl::StrCat(after.port));
  compare("bound_port", absl::StrCat(before.bound_port),
          absl::StrCat(after.bound_port));
  if (after.state != ListenerInfo::State::kDraining) {
    compare("state", std::string(NameOf(kListenerStates, before.state)),
            std::string(NameOf(kListenerStates, after.state)));
  }
  for (const Setting& setting : SettingsTable()) {
    compare(setting.name, SettingText(setting, before.settings),
            SettingText(setting, after.settings));
  }
  return changes;
}

std::string AuditText(const AuditRecord& record, const absl::Status& outcome) {
  bool truncated = false;
  Json json;
  json["peer"] = Bounded(record.peer, kMostNameBytes, truncated);
  json["method"] = record.method;
  json["resource"] = Bounded(record.resource, kMostNameBytes, truncated);
  if (!record.request.empty()) {
    json["request"] = RequestJson(record.request, truncated);
  }
  if (!record.changes.empty()) {
    json["changes"] = ChangesJson(record.changes, truncated);
  }
  json["code"] = CodeName(outcome);
  if (!outcome.ok()) {
    const std::string reason = GetErrorDetail(outcome).reason;
    if (!reason.empty()) json["reason"] = reason;
    json["message"] = Bounded(outcome.message(), kMostMessageBytes, truncated);
  }
  if (truncated) json["truncated"] = true;
  return Dump(json);
}

void LogChange(const AuditRecord& record, const absl::Status& outcome) {
  LogAudit(AuditText(record, outcome));
}

}  // namespace echod
