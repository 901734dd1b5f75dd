// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_CONTROL_SETTINGS_TABLE_H_
#define ECHO_CONTROL_SETTINGS_TABLE_H_

#include <cstdint>
#include <string>
#include <variant>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "echo/control/echo_mode.h"
#include "echo/control/listener_settings.h"

namespace echod {

// The settings of a listener, each described once. Flags, validation, updates
// and the conversion to and from protobuf go through these rows; tests compare
// the comments of admin.proto and the tables in README.md and docs/ with them.
//
// All of it is constant, and thread-safe.

// A setting from `least` to `most`.
template <typename T>
struct BoundedSetting {
  T ListenerSettings::*member;
  T least;
  T most;
};

// A setting whose values are EchoModes.
struct ModeSetting {
  EchoMode ListenerSettings::*member;
};

// What a changed setting applies to.
enum class ChangeApplies : std::uint8_t {
  kToNewConnections,
  kToLivingConnections,  // and to new ones
  kToListeningSocket,
};

struct Setting {
  // Also the name of the flag, and of the field in the API.
  absl::string_view name;
  std::variant<BoundedSetting<int>, BoundedSetting<std::int64_t>,
               BoundedSetting<absl::Duration>, ModeSetting>
      kind;
  absl::string_view zero;  // what 0 stands for, unless it is just a value
  ChangeApplies applies;
  // What it does, in sentences. A mode's help follows from its values.
  absl::string_view help;
};

// In the order of the members of ListenerSettings.
absl::Span<const Setting> SettingsTable();

using SettingMember =
    std::variant<int ListenerSettings::*, std::int64_t ListenerSettings::*,
                 absl::Duration ListenerSettings::*,
                 EchoMode ListenerSettings::*>;

// The setting's member, and a member's row. Every member has one.
SettingMember MemberOf(const Setting& setting);
const Setting& SettingOf(SettingMember member);

// Copies one setting.
void CopySetting(const Setting& setting, const ListenerSettings& from,
                 ListenerSettings& to);

// OK, or INVALID_ARGUMENT that says what the bounds of this setting are.
absl::Status ValidateSetting(const Setting& setting,
                             const ListenerSettings& settings);

// OK, or INVALID_ARGUMENT that names the first setting out of its bounds and
// says what they are.
absl::Status ValidateSettings(const ListenerSettings& settings);

// The setting's value as text, such as `65536`, `1m30s` or `raw`.
std::string SettingText(const Setting& setting,
                        const ListenerSettings& settings);

// Sets the setting to what SettingText has written. An error says what is
// valid; bounds are for ValidateSetting.
absl::Status ParseSetting(const Setting& setting, absl::string_view text,
                          ListenerSettings& settings);

// For people: what the setting does, in sentences.
std::string SettingHelp(const Setting& setting);

// For people: the default and the bounds, such as `Default: 0; from 0 (never)
// to 8760h.`
std::string SettingValues(const Setting& setting);

// For people: what a change applies to, such as `applies to new connections`.
absl::string_view ChangeAppliesText(ChangeApplies applies);

}  // namespace echod

#endif  // ECHO_CONTROL_SETTINGS_TABLE_H_
