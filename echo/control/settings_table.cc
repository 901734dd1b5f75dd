// SPDX-License-Identifier: Apache-2.0

#include "echo/control/settings_table.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "echo/base/check.h"
#include "echo/base/command_line.h"
#include "echo/base/named_values.h"
#include "echo/control/control_error.h"

namespace echod {
namespace {

// Longer is as good as never; a connection's clock counts in nanoseconds.
constexpr absl::Duration kLongestTimeout = absl::Hours(24 * 365);

constexpr Setting kSettings[] = {
    {.name = "mode",
     .kind = ModeSetting{&ListenerSettings::mode},
     .applies = ChangeApplies::kToNewConnections},
    {.name = "max_connections",
     .kind = BoundedSetting<std::int64_t>{&ListenerSettings::max_connections, 0,
                                          100'000'000},
     .zero = "no limit",
     .applies = ChangeApplies::kToNewConnections,
     .help = "The most open connections of the listener, as far as descriptors "
             "suffice; further connections are reset immediately."},
    {.name = "max_connections_per_address",
     .kind =
         BoundedSetting<std::int64_t>{
             &ListenerSettings::max_connections_per_address, 0, 100'000'000},
     .zero = "no limit",
     .applies = ChangeApplies::kToNewConnections,
     .help = "The most open connections of one client address; further "
             "connections are reset immediately."},
    {.name = "max_line_bytes",
     // A line is held in memory until it is complete.
     .kind = BoundedSetting<std::int64_t>{&ListenerSettings::max_line_bytes, 1,
                                          16 * 1024 * 1024},
     .applies = ChangeApplies::kToLivingConnections,
     .help =
         "The longest line in line mode, in bytes without its end. A longer "
         "line is answered with an error, and its connection is closed."},
    {.name = "max_buffered_bytes",
     .kind = BoundedSetting<std::int64_t>{&ListenerSettings::max_buffered_bytes,
                                          1, std::int64_t{1} << 30},
     .applies = ChangeApplies::kToLivingConnections,
     .help = "The most unsent echo of a connection, in bytes; echod stops "
             "reading from a client that has reached it."},
    {.name = "idle_timeout",
     .kind =
         BoundedSetting<absl::Duration>{&ListenerSettings::idle_timeout,
                                        absl::ZeroDuration(), kLongestTimeout},
     .zero = "never",
     .applies = ChangeApplies::kToLivingConnections,
     .help = "Closes a connection on which no byte has come or gone for this "
             "time, such as 30s or 5m."},
    {.name = "max_connection_age",
     .kind =
         BoundedSetting<absl::Duration>{&ListenerSettings::max_connection_age,
                                        absl::ZeroDuration(), kLongestTimeout},
     .zero = "no limit",
     .applies = ChangeApplies::kToLivingConnections,
     .help = "Closes a connection gracefully at this age, such as 1h, so that "
             "clients come back to where a load balancer sends them now."},
    {.name = "write_stall_timeout",
     .kind =
         BoundedSetting<absl::Duration>{&ListenerSettings::write_stall_timeout,
                                        absl::ZeroDuration(), kLongestTimeout},
     .zero = "never",
     .applies = ChangeApplies::kToLivingConnections,
     .help = "Resets a connection whose client has taken nothing of its unsent "
             "echo for this time, such as 1m."},
    {.name = "backlog",
     .kind = BoundedSetting<int>{&ListenerSettings::backlog, 1, 65535},
     .applies = ChangeApplies::kToListeningSocket,
     .help = "The length of the kernel's accept queue, which "
             "net.core.somaxconn limits, too."},
};

std::string ValueText(std::int64_t value) { return absl::StrCat(value); }
std::string ValueText(absl::Duration value) {
  return absl::FormatDuration(value);
}

// Such as `0 (never) to 8760h`.
template <typename T>
std::string BoundsText(const Setting& setting, const BoundedSetting<T>& kind) {
  return absl::StrCat(
      ValueText(kind.least),
      setting.zero.empty() ? "" : absl::StrCat(" (", setting.zero, ")"), " to ",
      ValueText(kind.most));
}

template <typename T>
absl::Status Check(const Setting& setting, const BoundedSetting<T>& kind,
                   const ListenerSettings& settings) {
  const T value = settings.*kind.member;
  if (value >= kind.least && value <= kind.most) return absl::OkStatus();
  return InvalidFieldError(
      setting.name,
      absl::StrCat(ValueText(value), " is out of bounds; ", setting.name,
                   " ranges from ", BoundsText(setting, kind)));
}

absl::Status Check(const Setting& /*setting*/, const ModeSetting& /*kind*/,
                   const ListenerSettings& /*settings*/) {
  return absl::OkStatus();
}

template <typename T>
std::string TextOf(const BoundedSetting<T>& kind,
                   const ListenerSettings& settings) {
  return ValueText(settings.*kind.member);
}

std::string TextOf(const ModeSetting& kind, const ListenerSettings& settings) {
  return std::string(NameOf(kEchoModes, settings.*kind.member));
}

template <typename T>
absl::Status SetFromText(absl::string_view text, const BoundedSetting<T>& kind,
                         ListenerSettings& settings) {
  return ParseFlagText(text, settings.*kind.member);
}

absl::Status SetFromText(absl::string_view text, const ModeSetting& kind,
                         ListenerSettings& settings) {
  const std::optional<EchoMode> mode = ValueNamed(kEchoModes, text);
  if (!mode.has_value()) {
    return absl::InvalidArgumentError(
        absl::StrCat("choose ", JoinedWithOr(NamesIn(kEchoModes))));
  }
  settings.*kind.member = *mode;
  return absl::OkStatus();
}

template <typename T>
std::string Bounds(const Setting& setting, const BoundedSetting<T>& kind) {
  return absl::StrCat("; from ", BoundsText(setting, kind));
}

std::string Bounds(const Setting& /*setting*/, const ModeSetting& /*kind*/) {
  return "";  // the help says what modes there are
}

}  // namespace

absl::Span<const Setting> SettingsTable() { return kSettings; }

SettingMember MemberOf(const Setting& setting) {
  return std::visit(
      [](const auto& kind) -> SettingMember { return kind.member; },
      setting.kind);
}

const Setting& SettingOf(SettingMember member) {
  const auto* const found = std::find_if(
      std::begin(kSettings), std::end(kSettings),
      [&](const Setting& setting) { return MemberOf(setting) == member; });
  ECHOD_CHECK(found != std::end(kSettings));
  return *found;
}

void CopySetting(const Setting& setting, const ListenerSettings& from,
                 ListenerSettings& to) {
  std::visit([&](const auto& kind) { to.*kind.member = from.*kind.member; },
             setting.kind);
}

absl::Status ValidateSetting(const Setting& setting,
                             const ListenerSettings& settings) {
  return std::visit(
      [&](const auto& kind) { return Check(setting, kind, settings); },
      setting.kind);
}

absl::Status ValidateSettings(const ListenerSettings& settings) {
  for (const Setting& setting : kSettings) {
    absl::Status valid = ValidateSetting(setting, settings);
    if (!valid.ok()) return valid;
  }
  return absl::OkStatus();
}

std::string SettingText(const Setting& setting,
                        const ListenerSettings& settings) {
  return std::visit([&](const auto& kind) { return TextOf(kind, settings); },
                    setting.kind);
}

absl::Status ParseSetting(const Setting& setting, absl::string_view text,
                          ListenerSettings& settings) {
  return std::visit(
      [&](const auto& kind) { return SetFromText(text, kind, settings); },
      setting.kind);
}

std::string SettingHelp(const Setting& setting) {
  if (!std::holds_alternative<ModeSetting>(setting.kind)) {
    return std::string(setting.help);
  }
  std::vector<std::string> modes;
  for (const EchoModeRow& mode : kEchoModes) {
    modes.push_back(absl::StrCat(mode.name, " ", mode.help));
  }
  return absl::StrCat(absl::StrJoin(modes, "; "), ".");
}

std::string SettingValues(const Setting& setting) {
  return absl::StrCat(
      "Default: ", SettingText(setting, ListenerSettings()),
      std::visit([&](const auto& kind) { return Bounds(setting, kind); },
                 setting.kind),
      ".");
}

absl::string_view ChangeAppliesText(ChangeApplies applies) {
  switch (applies) {
    case ChangeApplies::kToNewConnections:
      return "applies to new connections";
    case ChangeApplies::kToLivingConnections:
      return "applies to living connections, too";
    case ChangeApplies::kToListeningSocket:
      return "applies to the listening socket";
  }
  return "";
}

}  // namespace echod
